"""Model folders that are written without training, and a store to register them in."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from tests.conftest import events, split_by_time, write_prepared
from twotower.artifacts import write_artifacts
from twotower.config import Config, parse_config
from twotower.config.reporting import MlflowConfig
from twotower.config.training import ModelConfig
from twotower.data.prepared import read_catalogue
from twotower.registry.promote import PROMOTION_TAG, Decision, promote
from twotower.registry.register import register
from twotower.registry.versions import Registry
from twotower.training.towers import TwoTower

MLFLOW = MlflowConfig(experiment="tests", model="shop")
GOOD, POOR = 0.9, 0.1


@contextmanager
def own_environment() -> Iterator[None]:
    """The registry sets variables and defaults for mlflow; other tests shall not see them."""
    import mlflow

    with mock.patch.dict(os.environ):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    with own_environment():
        yield


class Workspace:
    """Prepared data, and model folders of a chosen quality."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.prepared = root / "prepared"
        self.metrics = root / "test.json"
        self.metrics.write_text(json.dumps({"optimized": {"mrr": 0.5}, "scored": True}))
        self.splits = split_by_time(events(seed=0))
        write_prepared(self.prepared, self.splits, features=False)

    @property
    def config(self) -> Config:
        hpo = {"objective": "mrr"}
        return parse_config({"hpo": hpo, "mlflow": MLFLOW.model_dump()})

    def new_data(self, splits: dict[str, pd.DataFrame]) -> None:
        self.splits = splits
        shutil.rmtree(self.prepared)
        write_prepared(self.prepared, self.splits, features=False)

    def model(
        self, name: str, quality: float, trained_on: tuple[str, ...] = ("train", "validation")
    ) -> Path:
        """A model of users who like the items of their group; the more so, the higher quality is.

        Args:
            name: of its folder.
            quality: 1: the group alone decides; 0: chance alone.
            trained_on: splits.
        """
        frame = pd.concat([self.splits[split] for split in trained_on], ignore_index=True)
        catalogue = read_catalogue(self.prepared / "vocabulary").extend(frame)
        model = TwoTower(catalogue, ModelConfig(dim=8, similarity="dot"))
        groups = [
            np.eye(8)[entities.vocabulary.ids.to_numpy() % 3]
            for entities in (catalogue.users, catalogue.items)
        ]
        groups[0] = np.eye(8)[(catalogue.users.vocabulary.ids.to_numpy() - 100) % 3]
        groups[1] = np.eye(8)[(catalogue.items.vocabulary.ids.to_numpy() - 1000) % 3]
        rng = np.random.default_rng(1)
        vectors = [
            (quality * group + (1 - quality) * rng.normal(size=group.shape)).astype(np.float32)
            for group in groups
        ]
        model.vectors = lambda: tuple(vectors)  # type: ignore[method-assign,assignment,return-value]
        meta = {
            "best_params": {"dim": 8},
            "model": {"similarity": "dot"},
            "trained_on": list(trained_on),
            "quality": quality,
        }
        write_artifacts(self.root / name, model, catalogue, catalogue.encode(frame), meta)
        return self.root / name


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def registry(tmp_path: Path, empty_mlflow: Path) -> Registry:
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return Registry(MLFLOW, tmp_path)


class Shop:
    """A workspace and its registry."""

    def __init__(self, workspace: Workspace, registry: Registry) -> None:
        self.workspace, self.registry = workspace, registry

    def register(self, folder: Path) -> int:
        workspace = self.workspace
        return register(self.registry, folder, workspace.prepared, workspace.metrics)[0]

    def promote(self, **options: Any) -> Decision:
        workspace = self.workspace
        return promote(workspace.config, self.registry, prepared=workspace.prepared, **options)

    def number_of(self, alias: str) -> int | None:
        version = self.registry.by_alias(alias)
        return None if version is None else int(version.version)

    def promotion(self, number: int) -> dict[str, Any]:
        tags = self.registry.by_number(number).tags
        values: dict[str, Any] = json.loads(tags[PROMOTION_TAG])
        return values


@pytest.fixture
def shop(workspace: Workspace, registry: Registry) -> Shop:
    return Shop(workspace, registry)


def copy_database(source: Path, target: Path) -> None:
    """Also over a database that is open."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture(scope="session")
def rivals_store(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """Two models of the rows of a new workspace, which take a second to register.

    rivals.db: version 1 is a poor champion, version 2 a good candidate; promoted.db: version 2
    has become champion.
    """
    root = tmp_path_factory.mktemp("rivals")
    shutil.copy(empty_mlflow, root)
    with own_environment():
        shop = Shop(Workspace(root), Registry(MLFLOW, root))
        shop.register(shop.workspace.model("poor", POOR))
        assert shop.promote().promoted
        shop.register(shop.workspace.model("good", GOOD))
        copy_database(root / "mlflow.db", root / "rivals.db")
        assert shop.promote().promoted
        copy_database(root / "mlflow.db", root / "promoted.db")
    return root


def restored(root: Path, state: str, workspace: Workspace) -> Shop:
    """A shop as it was; files of models that a test registers stay beside the others."""
    shutil.rmtree(root / ".hpo", ignore_errors=True)  # looks at the test split
    copy_database(root / f"{state}.db", root / "mlflow.db")
    return Shop(workspace, Registry(MLFLOW, root))


@pytest.fixture
def rivals(workspace: Workspace, rivals_store: Path) -> Shop:
    """Version 1 is a poor champion, version 2 a good candidate."""
    return restored(rivals_store, "rivals", workspace)


@pytest.fixture
def promoted(workspace: Workspace, rivals_store: Path) -> Shop:
    """Version 2, a good model, is champion and candidate."""
    return restored(rivals_store, "promoted", workspace)
