"""An empty MLflow store, and a repository with a study to track."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from twotower.config import Config, parse_config
from twotower.search.identity import Fingerprint, build_identity, provenance
from twotower.search.outputs import SearchOutputs
from twotower.search.proposals.propose import distributions
from twotower.search.store.live_study import open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import Trial
from twotower.tracking.background import BackgroundPublisher, publish_in_background
from twotower.tracking.ending import Ending
from twotower.tracking.mlflow_store import store_uri
from twotower.tracking.sync import sync

DATA = dict.fromkeys(("train.parquet", "validation.parquet"), "ab" * 32)
COUNTS = {"num_train_rows": 700, "num_validation_rows": 100}


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """Tracking sets variables for mlflow; other tests shall not see them."""
    with mock.patch.dict(os.environ):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield


@pytest.fixture
def root(tmp_path: Path, empty_mlflow: Path) -> Path:
    shutil.copy(empty_mlflow, tmp_path)
    return tmp_path


@pytest.fixture
def repository(root: Path) -> "Repository":
    return Repository(root)


def tracking_config(**mlflow: object) -> Config:
    return parse_config({"mlflow": {"enabled": True, "experiment": "tests", **mlflow}})


def complete(number: int, digest: str = "p") -> Trial:
    return Trial(
        number=number,
        state="COMPLETE",
        params={"batch_size": 128, "dim": 8, "epochs": 3, "lr": 0.01},
        provenance=digest,
        value=0.1 * number,
        metrics={"recall_at_10": 0.1 * number},
        losses=[2.0, 1.0],
        started=1_000,
        finished=2_000,
    )


class Repository:
    """A live study with some trials in its database and one that waits in a file.

    Attributes:
        lines: what `sync` said.
        numbers: of the finished trials.
    """

    def __init__(
        self, root: Path, count: int = 3, code: Fingerprint | None = None, *, mixed: bool = False
    ) -> None:
        self.root = root
        self.outputs = SearchOutputs(
            root / "hpo_study.db", root / "hpo_results.json", root / "trials.csv"
        )
        self.location = StudyLocation(
            root / ".hpo",
            self.outputs.snapshot,
            build_identity(tracking_config(), DATA),
            code or provenance(),
            mixed=mixed,
        )
        self.lines: list[str] = []
        self.numbers = [*range(count), count + 1]  # trial `count` still runs
        with open_study(self.location, tracking_config().hpo, self.lines.append) as live:
            for number in self.numbers:
                live.add(complete(number, self.location.provenance.digest))

    def sync(self, **mlflow: object) -> int:
        config = tracking_config(**mlflow)
        return sync(config, self.root, self.lines.append, outputs=self.outputs)

    def publisher(self, **mlflow: object) -> BackgroundPublisher:
        """That of a search which starts."""
        config = tracking_config(**mlflow)
        publisher = publish_in_background(config, self.root, self.location, COUNTS)
        assert publisher is not None
        return publisher

    def track(self, *numbers: int, **mlflow: object) -> None:
        """Publish these trials as a search does that is killed then."""
        publisher = self.publisher(**mlflow)
        publisher.add([complete(number) for number in numbers])
        publisher.end(Ending("KILLED", reason="killed"))

    def snapshot(self, count: int) -> None:
        """Write trials 0..count - 1 as DVC keeps them."""
        digest = self.location.provenance.digest
        trials = [complete(number, digest).without_times() for number in range(count)]
        attributes = {
            "identity": self.location.identity.digest,
            "identity_values": self.location.identity.values,
            "provenance": self.location.provenance.values,
        }
        space = distributions(tracking_config().hpo.search_space)
        write_snapshot(self.outputs.snapshot, "two-tower", trials, space, attributes)

    def finish(self) -> None:
        best = {"number": 2, "value": 0.2, "metrics": {"recall_at_10": 0.2}}
        results = {
            "identity": self.location.identity.digest,
            "provenance": {"mixed": False, **self.location.provenance.values},
            "n_trials": 3,
            "best_trial": best,
            "best_params": complete(2).params,
        }
        self.outputs.results.write_text(json.dumps(results), encoding="utf-8")


def all_runs(root: Path) -> tuple[list[Run], list[Run]]:
    """Runs of studies, and runs of trials."""
    client = MlflowClient(tracking_uri=store_uri(None, root))
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    trials = [run for run in runs if "twotower.trial" in run.data.tags]
    return [run for run in runs if run not in trials], trials


def only_study(root: Path) -> tuple[Run, dict[int, Run]]:
    """The run of the only study, and those of its trials by number, each there once."""
    (study,), trials = all_runs(root)
    numbered = {int(run.data.tags["twotower.trial"]): run for run in trials}
    assert len(numbered) == len(trials)
    return study, numbered
