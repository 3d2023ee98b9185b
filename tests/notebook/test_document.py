"""The notebook among the documents shows what its cells say."""

import json
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from tests.notebook.document import CELLS, PATH, executed, outputs
from twotower.search.objective import Objective, Report
from twotower.search.trial import Trial

NUMBER = re.compile(r"-?\d+\.\d+")
TRIALS = REPOSITORY / "metrics" / "hpo_trials.csv"


def test_its_cells_are_those_that_are_executed() -> None:
    cells = json.loads(PATH.read_text("utf-8"))["cells"]
    assert [(cell["cell_type"], cell["source"]) for cell in cells] == list(CELLS)
    assert all(cell["outputs"] for cell in cells if "model." in cell["source"])


def test_its_scores_are_those_of_the_pipeline_on_the_same_data() -> None:
    cells = json.loads(PATH.read_text("utf-8"))["cells"]
    shown = {c["source"]: c["outputs"][0].get("data") for c in cells if c.get("outputs")}
    metrics = REPOSITORY / "metrics"
    verdict = json.loads((metrics / "verdict.json").read_text("utf-8"))["sentence"]
    assert shown["model.verdict"]["text/plain"] == repr(verdict)
    scores = pd.read_csv(metrics / "baselines.csv").round(4)
    assert shown["model.scores.round(4)"]["text/plain"] == repr(scores)


def test_a_cell_shows_what_it_prints_and_the_value_of_its_last_line() -> None:
    names: dict[str, Any] = {}
    assert outputs("a = 1", names, 1) == []
    printed, value = outputs("print(a)\na + 1", names, 2)
    assert printed["text"] == "1\n"
    assert value["data"] == {"text/plain": "2"}


@pytest.fixture
def known_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the search, the best trial alone is trained; others are those of the pipeline."""
    table, train = pd.read_csv(TRIALS, index_col="number"), Objective.__call__

    def look_up(objective: Objective, trial: Trial, report: Report | None = None) -> Trial:
        row = table.loc[trial.number].dropna()
        assert trial.params == beginning(row, "params_")
        if trial.number == table["value"].idxmax():
            return train(objective, trial, report)
        metrics = beginning(row, "metrics_")
        return replace(trial, state=row["state"], value=row["value"], metrics=metrics)

    monkeypatch.setattr(Objective, "__call__", look_up)


def beginning(row: pd.Series, prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in row.items()
        if str(name).startswith(prefix)
    }


@pytest.mark.slow
@pytest.mark.usefixtures("known_trials")
def test_its_outputs_are_true() -> None:
    stored = json.loads(PATH.read_text("utf-8"))
    again = json.loads(json.dumps(executed()))
    assert words(again) == words(stored)
    assert numbers(again) == pytest.approx(numbers(stored), abs=2e-4)


def words(notebook: Any) -> str:
    return NUMBER.sub("#", json.dumps(notebook))


def numbers(notebook: Any) -> list[float]:
    """Processors of one capability agree in five digits."""
    return [float(number) for number in NUMBER.findall(json.dumps(notebook))]
