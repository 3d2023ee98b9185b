"""The backtest as a stage of DVC, in a dvc.yaml of its own, as its document has it."""

import json
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.documents.blocks import blocks
from tests.pipeline.project import Project, create
from twotower.common.files import sha256_file

COMMAND = "twotower backtest --every 4w --folds 8"
SHORT = "python -m twotower backtest --every 48h --folds 3 --n-trials 2"
OUTPUTS = ("backtest.json", "folds.csv", "headline.json", "backtest.html")


def spread(rows: pd.DataFrame) -> pd.DataFrame:
    """Seconds become quarters of an hour: six days in all become a bit more than twelve."""
    seconds = rows["timestamp"].astype(int)
    return rows.assign(timestamp=seconds.min() + (seconds - seconds.min()) * 1_800)


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A project with the stage, and no result of any other."""
    project = create(tmp_path / "shop")
    project.change_events(spread)
    project.set("refit", {"seeds": 1})
    (block,) = (one for one in blocks("docs/backtest.md") if one.language == "yaml")
    assert COMMAND in block.text
    project.path("backtest").mkdir()
    project.path("backtest/dvc.yaml").write_text(
        block.text.replace(COMMAND, SHORT), encoding="utf-8"
    )
    project.commit("The backtest is a stage")
    return project


def written(project: Project) -> dict[str, str]:
    return {name: sha256_file(project.path(f"backtest/{name}")) for name in OUTPUTS}


def test_it_is_run_and_kept_by_itself(shop: Project) -> None:
    log = shop.dvc("repro", "backtest/dvc.yaml")
    assert "fold 3/3, " in log
    assert not shop.path("hpo_results.json").exists()
    assert not shop.path("metrics/test.json").exists()
    first = written(shop)
    shop.commit("The backtest")
    assert "Data and pipelines are up to date" in shop.dvc("repro", "backtest/dvc.yaml")
    stages = shop.dvc("stage", "list", "--name-only").split()
    assert stages == list(shop.stages())  # what `dvc repro` runs leaves it alone
    shown = json.loads(shop.dvc("metrics", "show", "--json", "backtest/headline.json"))
    assert "backtest/headline.json" in json.dumps(shown)
    output = shop.dvc("exp", "run", "-n", "longer", "-S", "train.epochs=2", "backtest/dvc.yaml")
    assert "fold 3/3, " in output
    assert written(shop) != first
    assert not shop.path("hpo_results.json").exists()


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(shop: Project, tmp_path: Path) -> None:
    other = shop.copy(tmp_path / "other")
    process = shop.start(*SHORT.split())
    cache = shop.path(".hpo/backtest")
    deadline = time.monotonic() + 300
    while not list(cache.glob("*/hpo_results.json")):  # the first fold's search has ended
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not shop.path("backtest/backtest.json").exists()
    shop.run(*SHORT.split())
    other.run(*SHORT.split())
    assert written(shop) == written(other)
