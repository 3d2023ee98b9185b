"""Whole searches on small data: the same bytes however they came about."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import REPOSITORY, events, split_by_time, write_prepared
from twotower.common.errors import SearchError
from twotower.common.seeds import derive_seed
from twotower.config import Config, parse_config
from twotower.search import objective as objective_module
from twotower.search.console import SearchConsole
from twotower.search.front import Goals
from twotower.search.outputs import SearchOutputs
from twotower.search.run_search import run_search
from twotower.search.trial import Trial

SMALL: dict[str, Any] = {
    "model": {"dim": 8},
    "train": {"epochs": 1, "batch_size": 64},
    "hpo": {
        "n_trials": 6,
        "workers": 0,
        "search_space": {
            "dim": {"type": "int", "low": 4, "high": 16, "step": 4},
            "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
            "epochs": {"type": "int", "low": 1, "high": 3},
        },
    },
}


def config(**hpo: Any) -> Config:
    return parse_config(SMALL | {"hpo": SMALL["hpo"] | hpo})


class Run(SearchConsole):
    """One search in a folder, and the lines it printed."""

    def __init__(self, root: Path, prepared: Path, settings: Config, **options: Any) -> None:
        self.said: list[str] = []
        self.new: list[int] = []
        super().__init__(Goals.of(settings.hpo))
        self.outputs = outputs(root)
        self.results = run_search(settings, root, self, prepared, self.outputs, **options)
        self.digests = digests(self.outputs)

    def say(self, line: str) -> None:
        self.said.append(line)

    def start(self, *_: Any) -> None:
        pass

    def trial(self, trial: Trial) -> None:
        self.new.append(trial.number)


def outputs(root: Path) -> SearchOutputs:
    return SearchOutputs(
        root / "study.db", root / "results.json", root / "trials.csv", root / "validation.json"
    )


def digests(files: SearchOutputs) -> list[str]:
    paths = (
        files.snapshot, files.results, files.trials, files.validation, files.curves, files.headline
    )  # fmt: skip
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Run:
    return Run(tmp_path_factory.mktemp("straight"), prepared, config())


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Run:
    """The first four trials of the six; its folder is to be copied."""
    return Run(tmp_path_factory.mktemp("four"), prepared, config(n_trials=4))


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Run], Path]:
    """The folder of a search, to go on in."""
    return lambda run: shutil.copytree(run.outputs.snapshot.parent, tmp_path / "copy")


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_worker_processes_give_the_same_bytes(
    straight: Run, tmp_path: Path, prepared: Path, workers: int
) -> None:
    assert Run(tmp_path, prepared, config(workers=workers)).digests == straight.digests


@pytest.mark.slow
def test_what_a_killed_search_shared_with_its_workers_is_deleted(
    straight: Run, tmp_path: Path, prepared: Path
) -> None:
    Run(tmp_path, prepared, config(n_trials=2))
    [database] = (tmp_path / ".hpo").glob("*/*/study.db")
    left = database.with_name("workers") / "objective"
    left.parent.mkdir()
    left.write_text("of a search that was killed")
    assert Run(tmp_path, prepared, config(workers=1)).digests == straight.digests
    assert not left.parent.exists()


def test_a_search_imports_only_what_it_does() -> None:
    code = """
import sys
import twotower.search.run_search, twotower.stages.search_reporter
import torch
from twotower.training.device import use_threads
from twotower.training.optimizer import Adam

use_threads(1)
table = torch.ones(2, requires_grad=True)
table.sum().backward()
Adam([table], 0.1).step()
heavy = {"torch._dynamo", "cmaes", "scipy.stats", "sklearn", "mlflow", "plotly"}
sys.exit(" ".join(heavy & sys.modules.keys()) or None)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_more_workers_than_the_window_holds_are_capped_with_a_message(
    tmp_path: Path, prepared: Path
) -> None:
    run = Run(tmp_path, prepared, config(n_trials=1, lookahead=1, workers=3))
    assert any(
        "using 1 instead of 3, as at most hpo.lookahead = 1 trials" in line for line in run.said
    )


def test_grown_equals_straight(
    straight: Run, four: Run, copied: Callable[[Run], Path], prepared: Path
) -> None:
    assert four.new == [0, 1, 2, 3]
    grown = Run(copied(four), prepared, config())
    assert grown.new == [4, 5]
    assert "4 of 6 trials are done, 2 to run" in grown.said
    assert grown.digests == straight.digests


def test_shrunk_equals_fresh(
    straight: Run, four: Run, copied: Callable[[Run], Path], prepared: Path
) -> None:
    root = copied(straight)
    shrunk = Run(root, prepared, config(n_trials=4))
    assert shrunk.new == []
    assert shrunk.digests == four.digests
    again = Run(root, prepared, config())
    assert again.new == []
    assert again.digests == straight.digests


def test_snapshot_alone_is_enough_to_go_on(
    straight: Run, four: Run, tmp_path: Path, prepared: Path
) -> None:
    shutil.copy(four.outputs.snapshot, tmp_path / "study.db")
    second = Run(tmp_path, prepared, config())
    assert second.new == [4, 5]
    assert second.digests == straight.digests


def test_added_trials_are_added_to_what_is_there(
    straight: Run, four: Run, copied: Callable[[Run], Path], prepared: Path
) -> None:
    added = Run(copied(four), prepared, config(n_trials=4), add_trials=2)
    assert added.new == [4, 5]
    assert added.digests == straight.digests


@pytest.mark.skipif(os.name == "nt", reason="kills process groups")
@pytest.mark.slow
@pytest.mark.parametrize(("workers", "delay"), [(0, 0.0), (2, 0.02)])
def test_killed_and_resumed_equals_straight(
    straight: Run, tmp_path: Path, prepared: Path, workers: int, delay: float
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.search.test_run_search import Run, config\n"
        "if __name__ == '__main__':\n"
        f"    Run(Path(sys.argv[1]), Path(sys.argv[2]), config(workers={workers}))\n"
    )
    path = tmp_path / "search.py"
    path.write_text(script)
    command = [sys.executable, str(path), str(tmp_path), str(prepared)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    while process.poll() is None and not _trials(tmp_path):
        time.sleep(0.005)
    time.sleep(delay)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it was over before it could be killed"
    assert Run(tmp_path, prepared, config(workers=workers)).digests == straight.digests


def _trials(root: Path) -> int:
    """Trials that have been started to be kept, counted from outside."""
    import sqlite3

    total = 0
    for path in root.glob(".hpo/*/*/study.db"):
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                total += connection.execute("select count(*) from trials").fetchone()[0]
        except sqlite3.Error:
            continue
    return total


def test_another_space_or_other_data_is_another_study(tmp_path: Path, prepared: Path) -> None:
    first = Run(tmp_path, prepared, config(n_trials=2))
    space = SMALL["hpo"]["search_space"] | {"dim": {"type": "int", "low": 8, "high": 16, "step": 8}}
    second = Run(tmp_path, prepared, config(n_trials=2, search_space=space))
    assert second.new == [0, 1]
    assert any("of another study" in line for line in second.said)
    other = write_prepared(tmp_path / "other", split_by_time(events(seed=9)))
    assert Run(tmp_path, other, config(n_trials=2)).new == [0, 1]
    back = Run(tmp_path, prepared, config(n_trials=2))
    assert back.new == []
    assert back.digests == first.digests


def test_results_say_what_was_found(straight: Run) -> None:
    results = json.loads(straight.outputs.results.read_text())
    trials = list(csv.DictReader(straight.outputs.trials.read_text().splitlines()))
    values = [float(trial["value"]) for trial in trials]
    assert results["n_trials"] == len(trials) == 6
    assert results["best_trial"]["number"] == values.index(max(values))
    assert results["best_trial"]["value"] == max(values)
    assert results["best_params"] == results["best_trial"]["params"]
    assert results["complete"] is True
    assert results["states"] == {"complete": 6, "fail": 0, "pruned": 0}
    assert results["provenance"]["mixed"] is False
    validation = json.loads(straight.outputs.validation.read_text())
    assert validation["optimized"] == results["best_trial"]["metrics"]
    assert validation["default"]["recall_at_10"] == values[0]
    assert 0 < validation["random"]["recall_at_10"] < 1


def test_the_learning_curves_have_a_row_for_each_epoch(straight: Run) -> None:
    curves = list(csv.DictReader(straight.outputs.curves.read_text().splitlines()))
    for trial in straight.results["trials"]:
        rows = [row for row in curves if row["trial"] == str(trial["number"])]
        epochs = trial["params"]["epochs"]
        assert [row["epoch"] for row in rows] == [str(epoch + 1) for epoch in range(epochs)]
        assert {row["state"] for row in rows} == {"COMPLETE"}
        assert {row["value"] for row in rows} == {""}, "it was not scored after each epoch"
    assert all(float(row["loss"]) > 0 for row in curves)


def test_the_headline_is_that_of_the_validation_metrics(straight: Run) -> None:
    metrics = json.loads(straight.outputs.validation.read_text())["optimized"]
    assert json.loads(straight.outputs.headline.read_text()) == {
        "validation": {"recall_at_10": metrics["recall_at_10"], "mrr": metrics["mrr"]}
    }


def test_the_best_of_a_sample_are_trained_on_all(tmp_path: Path, prepared: Path) -> None:
    sampled = {"sample": 0.5, "n_trials": 4}
    run = Run(tmp_path / "a", prepared, config(**sampled))
    sample, best = run.results["sample"], run.results["best_trial"]
    objective = objective_module.Objective(prepared, config(**sampled))
    [rung] = sample["rungs"]
    assert (sample["share"], rung["share"]) == (0.5, 1.0)
    assert sample["num_train_users"] < rung["num_train_users"] == 30
    assert best["value"] == max(trial["value"] for trial in rung["trials"])
    params = run.results["trials"][best["number"]]["params"]
    for share, metrics in ((1.0, best["metrics"]), (None, None)):
        again = objective(Trial(0, "RUNNING", params, share=share))
        assert metrics in (None, again.metrics)
    assert again.value == run.results["trials"][best["number"]]["value"] != best["value"]
    validation = json.loads(run.outputs.validation.read_text())
    assert validation["optimized"] == best["metrics"]
    assert validation["sample"]["optimized"] == again.metrics
    assert run.results["num_users"] <= sample["num_train_users"]
    whole = Run(tmp_path / "a", prepared, config(n_trials=4, sample=None))
    assert whole.new == [0, 1, 2, 3], "another study"
    assert "sample" not in whole.results
    # Grown, by several workers, and with fresh seeds.
    Run(tmp_path / "b", prepared, config(**sampled | {"n_trials": 2}))
    assert Run(tmp_path / "b", prepared, config(**sampled)).digests == run.digests


@pytest.mark.slow
def test_a_sample_with_workers_and_fresh_seeds(tmp_path: Path, prepared: Path) -> None:
    sampled: dict[str, Any] = {"sample": 0.5, **CONFIRM}
    serial = Run(tmp_path / "a", prepared, config(**sampled))
    assert Run(tmp_path / "b", prepared, config(workers=2, **sampled)).digests == serial.digests
    finalists = {trial["number"] for trial in serial.results["sample"]["rungs"][-1]["trials"]}
    assert {trial["number"] for trial in serial.results["confirm"]["trials"]} == finalists


def test_a_sample_without_anybody_to_score_is_an_error(tmp_path: Path, prepared: Path) -> None:
    with pytest.raises(SearchError, match=r"hpo\.sample: 1e-06 of the users leaves none"):
        Run(tmp_path, prepared, config(sample=1e-6))


CONFIRM = {"n_trials": 3, "confirm": {"top": 2, "seeds": 2}}


@pytest.mark.slow
def test_confirmed_models_are_those_of_the_fresh_seeds(tmp_path: Path, prepared: Path) -> None:
    plain = Run(tmp_path, prepared, config(n_trials=3))
    assert "confirm" not in plain.results
    run = Run(tmp_path, prepared, config(**CONFIRM))
    assert run.new == [], "it belongs to the same study"
    assert run.digests[0] == plain.digests[0], "the study is as it was"
    assert run.digests[2] == plain.digests[2], "so is the trials table"
    table = list(csv.DictReader(run.outputs.trials.read_text().splitlines()))
    means = {}
    for confirmed in run.results["confirm"]["trials"]:
        row = table[confirmed["number"]]
        params = {name: json.loads(row[f"params_{name}"]) for name in ("dim", "lr", "epochs")}
        for index, value in enumerate(confirmed["values"]):
            seed = derive_seed(42, "confirm", index)
            settings = parse_config({**SMALL, "seed": seed})
            trial = objective_module.Objective(prepared, settings)(Trial(0, "RUNNING", params))
            assert trial.metrics["recall_at_10"] == value
        assert float(row["value"]) == confirmed["value"]
        means[confirmed["number"]] = confirmed["mean"]
    chosen = run.results["confirm"]["chosen"]
    assert means[chosen] == max(means.values())
    assert run.results["best_trial"]["number"] == chosen
    assert run.results["best_trial"]["value"] == float(table[chosen]["value"])
    assert run.results["best_params"] == run.results["best_trial"]["params"]
    validation = json.loads(run.outputs.validation.read_text())
    assert validation["optimized"] == run.results["best_trial"]["metrics"]
    assert validation["confirmed"]["recall_at_10"] == pytest.approx(means[chosen])
    parallel = Run(tmp_path / "parallel", prepared, config(workers=2, **CONFIRM))
    assert parallel.digests == run.digests
    assert Run(tmp_path, prepared, config(n_trials=3)).digests == plain.digests


def test_a_search_that_is_cut_is_not_confirmed(tmp_path: Path, prepared: Path) -> None:
    cut = Run(tmp_path, prepared, config(timeout=1e-6, **CONFIRM))
    assert cut.results["confirm"] is None
    assert cut.results["best_trial"]["number"] == 0


def test_what_does_nothing_on_the_data_is_left_out_and_said(tmp_path: Path) -> None:
    frames = split_by_time(events(seed=0).assign(timestamp=0))
    prepared = write_prepared(tmp_path / "prepared", frames)
    decay = {"history_decay": {"type": "float", "low": 0.0, "high": 0.6, "step": 0.2}}
    space = {"search_space": SMALL["hpo"]["search_space"] | decay, "n_trials": 2}
    run = Run(tmp_path, prepared, config(**space))
    reason = "no user has events of different times"
    assert run.said[0] == f"history_decay is not searched: {reason}"
    assert run.results["left_out"] == {"history_decay": reason}
    assert "history_decay" not in run.results["search_space"]
    assert (
        run.results["identity"] == Run(tmp_path, prepared, config(n_trials=2)).results["identity"]
    )
    alone = Run(tmp_path / "alone", prepared, config(search_space=decay))
    assert (alone.results["n_trials"], alone.results["exhausted"]) == (1, True)
    assert alone.results["best_params"] == {}


def test_a_failed_trial_is_recorded_and_the_study_goes_on(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = objective_module.fit

    def fit(*arguments: Any, **options: Any) -> Any:
        if arguments[3].epochs == 2:
            msg = "boom"
            raise ZeroDivisionError(msg)
        return whole(*arguments, **options)

    monkeypatch.setattr(objective_module, "fit", fit)
    run = Run(tmp_path, prepared, config(n_trials=8))
    trials = list(csv.DictReader(run.outputs.trials.read_text().splitlines()))
    failed = [trial for trial in trials if trial["state"] == "FAIL"]
    states = {"complete": 8 - len(failed), "fail": len(failed), "pruned": 0}
    assert run.results["states"] == states
    assert failed
    assert {trial["failure"] for trial in failed} == {"ZeroDivisionError: boom"}
    assert {trial["params_epochs"] for trial in failed} == {"2"}
    assert Run(tmp_path, prepared, config(n_trials=8)).new == []


def test_a_study_in_which_all_fail_is_an_error(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_arguments: Any, **_options: Any) -> Any:
        msg = "boom"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(objective_module, "fit", fit)
    with pytest.raises(SearchError, match=r"none of 3 trials completed.*boom"):
        Run(tmp_path, prepared, config(n_trials=3))


def test_a_trial_that_always_runs_out_of_memory_fails(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_arguments: Any, **_options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(objective_module, "fit", fit)
    with pytest.raises(SearchError, match="its worker ran out of memory in each of 2 tries"):
        Run(tmp_path, prepared, config(n_trials=1, tries=2))


def test_a_time_budget_leaves_a_prefix_that_can_be_completed(
    straight: Run, tmp_path: Path, prepared: Path
) -> None:
    cut = Run(tmp_path, prepared, config(timeout=1e-6))
    assert cut.new == [0]
    assert cut.results["complete"] is False
    assert Run(tmp_path, prepared, config()).digests == straight.digests


def test_without_a_validation_split_the_defaults_stand(tmp_path: Path) -> None:
    frame = events(seed=0)
    splits = {"train": frame, "validation": frame[:0], "test": frame[:0]}
    run = Run(tmp_path, write_prepared(tmp_path / "prepared", splits), config())
    assert run.new == []
    assert run.results["best_trial"] is None
    assert run.results["best_params"] == {"dim": 8, "epochs": 1, "lr": 0.003}
    assert "the defaults are kept" in run.said[0]


def test_it_says_if_most_of_what_counts_is_masked(tmp_path: Path) -> None:
    splits = split_by_time(events(seed=0))
    again = splits["train"].drop_duplicates("user_id").head(3)
    new = splits["validation"].drop_duplicates("user_id").tail(3).assign(item_id=1)
    notes = []
    for number in (2, 3):
        rows = pd.concat([again, new.tail(number)]).assign(relevant=True)
        prepared = write_prepared(tmp_path / f"{number}", splits | {"validation": rows})
        said = Run(tmp_path / f"{number}", prepared, config(n_trials=1)).said
        notes.append([line for line in said if line.startswith("note: ")])
    assert "3 of 5 users have only had before" in notes[0][0]
    assert notes[1] == []


def test_validation_rows_that_hold_nothing_new_are_an_error(tmp_path: Path) -> None:
    frame = events(seed=0)
    splits = {"train": frame, "validation": frame.head(5), "test": frame[:0]}
    prepared = write_prepared(tmp_path / "prepared", splits)
    with pytest.raises(SearchError, match="no user of the validation split"):
        Run(tmp_path, prepared, config())
