"""The backtest as a stage of DVC, in a dvc.yaml of its own, as its document has it."""

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.documents.blocks import blocks
from tests.pipeline.project import Project, create
from twotower.common.files import sha256_file

COMMAND = "twotower backtest --every 4w --folds 8"
SHORT = "python -m twotower backtest --every 48h --folds 2 --n-trials 2"
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


def test_it_is_run_by_itself_and_ends_with_the_same_bytes_after_a_kill(shop: Project) -> None:
    assert "fold 2/2, " in shop.dvc("repro", "backtest/dvc.yaml")
    first = written(shop)
    shop.commit("The backtest")
    assert "Data and pipelines are up to date" in shop.dvc("repro", "backtest/dvc.yaml")
    stages = shop.dvc("stage", "list", "--name-only").split()
    assert stages == list(shop.stages())  # what `dvc repro` runs leaves it alone
    shown = json.loads(shop.dvc("metrics", "show", "--json", "backtest/headline.json"))
    assert "gain_over" in json.dumps(shown)

    shutil.rmtree(shop.path(".hpo"))
    process = shop.start(*SHORT.split())
    deadline = time.monotonic() + 300
    while not list(shop.path(".hpo/backtest").glob("*/hpo_results.json")):
        assert process.poll() is None  # it searches the first fold
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate()
    shop.dvc("exp", "run", "--force", "-n", "again", "backtest/dvc.yaml")
    assert written(shop) == first
    assert not shop.path("hpo_results.json").exists()
    assert not shop.path("metrics/test.json").exists()
