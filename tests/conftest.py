"""Small data that many tests share."""

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from filelock import FileLock

from twotower.common import stage
from twotower.common.errors import ConfigError
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.data.prepared import PARTS, Catalogue, Entities, write_catalogue, write_row_groups
from twotower.data.vocabulary import Vocabulary

# Bytecode is written even where the environment says not to: hundreds of processes load the
# package or a copy of it, and pytest would rewrite all assertions each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

REPOSITORY = Path(__file__).parent.parent
ODD_NAME = "a%20b #c@d{e}é" + ("?f" if os.name == "posix" else "")
"""Of a folder, as continuous integration makes them of branches; each letter means something in a
URL."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first: towards the end, quick ones keep all processors busy."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported here stays: no need to look through it for garbage again and again."""
    gc.disable()
    outcome = yield
    gc.freeze()
    gc.enable()
    return outcome


@pytest.fixture(scope="session", autouse=True)
def _migrations_are_read_once() -> Iterator[None]:
    """Optuna and MLflow run the files of all their migrations whenever they open a database.

    Only to know the newest one: half of the time of the tests that open many.
    """
    from alembic.script import ScriptDirectory

    read = cache(ScriptDirectory)

    def from_config(config: Any) -> ScriptDirectory:
        return read(config.get_main_option("script_location"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", from_config)
        yield


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that takes seconds to fill, so the processes of one test run share it.

    Args:
        tmp_path_factory: of pytest.
        name: of the folder.
        make: fills it, in the first process that asks.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder / "done"
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow with its tables; to be copied."""

    def make(folder: Path) -> None:
        from mlflow import MlflowClient

        from twotower.tracking.mlflow_store import configure_environment, store_uri

        with mock.patch.dict(os.environ):
            configure_environment()
            uri = store_uri(None, folder)
            MlflowClient(uri, uri).search_registered_models()

    return made_once(tmp_path_factory, "empty-mlflow", make) / "mlflow.db"


def events(seed: int, num_users: int = 30, num_items: int = 24, per_user: int = 12) -> pd.DataFrame:
    """Rows in which users of one of three groups mostly choose items of that group."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(num_users), per_user)
    own = rng.integers(0, num_items // 3, len(users)) * 3 + users % 3
    items = np.where(rng.random(len(users)) < 0.9, own, rng.integers(0, num_items, len(users)))
    return pd.DataFrame(
        {
            "user_id": users + 100,
            "item_id": items + 1000,
            "timestamp": np.arange(len(users)),
            "weight": rng.integers(1, 5, len(users)).astype(np.float32),
        }
    )


def catalogue_of(frame: pd.DataFrame, *, features: bool = False) -> Catalogue:
    """Users and items of the rows; with one item feature of each kind if asked for."""
    users = Vocabulary(pd.Index(np.sort(frame["user_id"].unique())))
    items = Vocabulary(pd.Index(np.sort(frame["item_id"].unique())))
    n = len(items)
    columns = {
        "colour": Categorical(np.arange(n) % 4, ("blue", "green", "red")),
        "price": Numeric(np.linspace(-1, 1, n, dtype=np.float32), 10.0, 3.0),
        "tags": MultiValued(np.arange(n) % 3 + 1, np.arange(n + 1), ("a", "b", "c")),
    }
    return Catalogue(
        Entities(users, Features()), Entities(items, Features(columns if features else {}))
    )


def split_by_time(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each user's last two rows as test, the two before as validation."""
    from_end = frame.groupby("user_id").cumcount(ascending=False)
    return {
        "train": frame[from_end >= 4],
        "validation": frame[(from_end >= 2) & (from_end < 4)],
        "test": frame[from_end < 2],
    }


def split_by_user(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A fifth of the users as test, a fifth as validation, known by all but their last 4 rows."""
    role, from_end = frame["user_id"] % 5, frame.groupby("user_id").cumcount(ascending=False)
    return {
        "train": frame[role > 1],
        "validation": frame[(role == 1) & (from_end < 4)],
        "test": frame[(role == 0) & (from_end < 4)],
        "validation_history": frame[(role == 1) & (from_end >= 4)],
        "test_history": frame[(role == 0) & (from_end >= 4)],
    }


def write_split(path: Path, frame: pd.DataFrame) -> None:
    """One of PARTS, as the prepare stage would write it."""
    kinds = {"timestamp": pa.int64(), "weight": pa.float32()}
    for key in ("user_id", "item_id"):
        kinds[key] = pa.int64() if pd.api.types.is_integer_dtype(frame[key].dtype) else pa.string()
    names = ("user_id", "item_id", "timestamp", "weight")
    table = pa.table({name: pa.array(frame[name], kinds[name], safe=False) for name in names})
    write_row_groups(path, table.schema, [table])


def write_prepared(folder: Path, splits: dict[str, pd.DataFrame], *, features: bool = True) -> Path:
    """A prepared folder, as the prepare stage would write it; parts that are left out are empty."""
    for name in PARTS:
        write_split(folder / f"{name}.parquet", splits.get(name, splits["train"][:0]))
    write_catalogue(folder / "vocabulary", catalogue_of(splits["train"], features=features))
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder of small data with structure; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    return write_prepared(folder, split_by_time(events(seed=0)))


@pytest.fixture
def stopped_by_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose params.yaml asks for portable bytes: pinning ends in the error `pinned`."""

    def stop() -> None:
        msg = "pinned"
        raise ConfigError(msg)

    monkeypatch.setattr(stage, "pin", stop)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("portable: true\n", encoding="utf-8")
