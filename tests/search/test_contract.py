"""Each sampler and each pruner: the same bytes, however a search came about."""

import csv
import json
import operator
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.conftest import REPOSITORY
from tests.search.studies import BRANCHES
from tests.search.test_run_search import Run, digests, outputs
from twotower.common.errors import SearchError
from twotower.config import Config, parse_config
from twotower.search.objective import Objective
from twotower.search.trial import Trial

PRUNERS: dict[str, Any] = {
    "none": "none",
    "median": {"type": "median", "n_startup_trials": 1},
    "hyperband": {"type": "hyperband", "reduction_factor": 2},
    "successive_halving": {"type": "successive_halving", "reduction_factor": 2},
}
OBJECTIVES: dict[str, Any] = {
    "objectives": ["recall_at_10", "coverage_at_10", "gini_at_5"],
    "choose": {"keep": 0.5},
}
SAMPLERS: dict[str, Any] = {
    "tpe": {"type": "tpe", "n_startup_trials": 3},
    "random": "random",
    "gp": {"type": "gp", "n_startup_trials": 3},
    "cmaes": "cmaes",
    "nsga2": {"type": "nsga2", "population_size": 3},
}


def settings(sampler: str, pruner: str, count: int = 8, **hpo: Any) -> Config:
    return parse_config(
        {
            "model": {"dim": 8},
            "train": {"epochs": 2, "batch_size": 64},
            "hpo": {
                "n_trials": count,
                "workers": 0,
                "lookahead": 2,
                "sampler": SAMPLERS[sampler],
                "pruner": PRUNERS[pruner],
                "search_space": {
                    "dim": {"type": "int", "low": 4, "high": 16, "step": 4},
                    "epochs": {"type": "int", "low": 1, "high": 4},
                    "loss": {"type": "categorical", "choices": ["softmax", "mse"]},
                    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
                    "temperature": {
                        "type": "float", "low": 0.05, "high": 1, "log": True,
                        "only_if": {"loss": "softmax"},
                    },
                },
            }
            | hpo,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "none"),
        ("cmaes", "hyperband"),
        pytest.param("gp", "successive_halving", marks=pytest.mark.slow),
        pytest.param("random", "median", marks=pytest.mark.slow),
    ],
)
def test_grown_and_resumed_equal_straight(
    sampler: str, pruner: str, tmp_path: Path, prepared: Path
) -> None:
    straight = Run(tmp_path / "straight", prepared, settings(sampler, pruner))
    first = Run(tmp_path / "grown", prepared, settings(sampler, pruner, 4))
    (tmp_path / "clone").mkdir()
    shutil.copy(first.outputs.snapshot, tmp_path / "clone")
    for folder in ("grown", "clone"):  # a clone has only the snapshot
        run = Run(tmp_path / folder, prepared, settings(sampler, pruner))
        assert run.new == [4, 5, 6, 7]
        assert run.digests == straight.digests


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "none"),
        pytest.param("gp", "median", marks=pytest.mark.slow),
    ],
)
def test_a_space_of_branches_that_ends_is_the_same_however_it_came_about(
    sampler: str, pruner: str, tmp_path: Path, prepared: Path
) -> None:
    options = {"search_space": BRANCHES, "include_defaults": False}

    def run(name: str, count: int, **hpo: Any) -> Run:
        chosen = settings(sampler, pruner, count, **options, **hpo)
        return Run(tmp_path / name, prepared, chosen)

    straight = run("straight", 20)
    assert (straight.results["n_trials"], straight.results["complete"]) == (10, True)
    assert straight.results["exhausted"] is True
    assert len({json.dumps(t["params"]) for t in straight.results["trials"]}) == 10
    run("grown", 4)
    grown = run("grown", 20)
    assert grown.new == list(range(4, 10))
    assert grown.digests == straight.digests
    assert run("parallel", 20, workers=2).digests == straight.digests
    again = run("grown", 30, workers=2)
    assert again.new == []
    assert "all 10 trials are done, none to run" in again.said
    assert again.digests == straight.digests
    if straight.results["best_trial"]["params"]["init"] == "ridge":
        assert straight.results["best_params"]["dim"] in (8, 16, 64)
        assert straight.results["best_params"]["epochs"] == 0
    assert rows(straight)[0].keys() >= {"params_closed_form_dim", "params_dim"}


def test_with_objectives_the_bytes_are_the_same_and_the_front_is_of_the_trials(
    tmp_path: Path, prepared: Path
) -> None:
    straight = Run(tmp_path / "straight", prepared, settings("tpe", "none", **OBJECTIVES))
    Run(tmp_path / "grown", prepared, settings("tpe", "none", 5, **OBJECTIVES))
    grown = Run(tmp_path / "grown", prepared, settings("tpe", "none", **OBJECTIVES, workers=2))
    assert sorted(grown.new) == [5, 6, 7]
    assert grown.digests == straight.digests
    table = {int(row["number"]): row for row in rows(straight) if row["state"] == "COMPLETE"}
    signs = {"recall_at_10": 1, "coverage_at_10": 1, "gini_at_5": -1}

    def gains(number: int) -> list[float]:
        return [sign * float(table[number][f"metrics_{name}"]) for name, sign in signs.items()]

    def is_dominated(number: int) -> bool:
        return any(
            all(map(operator.ge, gains(other), gains(number))) and gains(other) != gains(number)
            for other in table
        )

    front = [one["number"] for one in straight.results["front"]]
    assert sorted(front) == [number for number in table if not is_dominated(number)]
    assert straight.results["best_trial"]["number"] in front
    assert straight.results["objectives"][2] == {"direction": "minimize", "metric": "gini_at_5"}
    # Another rule chooses from the same trials: none runs again.
    highest = settings("tpe", "none", **OBJECTIVES | {"choose": {"keep": 1}})
    chosen = Run(tmp_path / "grown", prepared, highest)
    assert chosen.new == []
    assert chosen.results["best_trial"]["value"] == max(gains(number)[0] for number in table)
    # Optuna reads the snapshot as a study of three values.
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{straight.outputs.snapshot}")
    assert {trial.number for trial in study.best_trials} == set(front)
    assert study.metric_names == list(signs)


def test_limits_out_of_reach_lose_no_trial(tmp_path: Path, prepared: Path) -> None:
    hard = settings("tpe", "none", 4, **OBJECTIVES | {"choose": {"limits": {"gini_at_5": 0.001}}})
    with pytest.raises(
        SearchError, match=r"no trial of the front .* has gini_at_5 of at most 0.001"
    ):
        Run(tmp_path, prepared, hard)
    assert not outputs(tmp_path).results.exists()
    assert Run(tmp_path, prepared, settings("tpe", "none", 4, **OBJECTIVES)).new == []


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_killed_search_with_objectives_ends_as_one_that_was_not(
    sampler: str, tmp_path: Path, prepared: Path
) -> None:
    chosen = OBJECTIVES | {"confirm": {"top": 2, "seeds": 2}}
    straight = Run(tmp_path / "straight", prepared, settings(sampler, "none", 10, **chosen))
    script = f"""
import os, signal, sys
from pathlib import Path
from tests.search.test_contract import Run, settings

class Killed(Run):
    def trial(self, trial):
        if trial.number == 6:
            os.kill(os.getpid(), signal.SIGKILL)

Killed(Path(sys.argv[1]), Path(sys.argv[2]), settings({sampler!r}, "none", 10, **{chosen!r}))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "killed"), str(prepared)]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    resumed = Run(tmp_path / "killed", prepared, settings(sampler, "none", 10, **chosen, workers=2))
    assert min(resumed.new) >= 6
    assert resumed.digests == straight.digests


ELSEWHERE = (("tpe", "median"), ("gp", "hyperband"), ("cmaes", "successive_halving"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """Folders of searches by samplers, of a process with another hash seed and two workers."""
    folder = tmp_path_factory.mktemp("elsewhere")
    script = (
        "import sys; from pathlib import Path; from tests.search.test_contract import *\n"
        "if __name__ == '__main__':\n"
        "    for names in ELSEWHERE:\n"
        "        chosen = settings(*names, workers=2)\n"
        "        Run(Path(sys.argv[1], names[0]), Path(sys.argv[2]), chosen)\n"
    )
    path = folder / "search.py"
    path.write_text(script)
    subprocess.run(
        [sys.executable, str(path), str(folder), str(prepared)],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)},
        check=True,
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "pruner"), ELSEWHERE)
def test_workers_and_another_hash_seed_equal_straight(
    sampler: str, pruner: str, tmp_path: Path, prepared: Path, elsewhere: Path
) -> None:
    straight = Run(tmp_path, prepared, settings(sampler, pruner))
    assert digests(outputs(elsewhere / sampler)) == straight.digests


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Run:
    return Run(tmp_path_factory.mktemp("pruned"), prepared, settings("random", "median", 12))


def rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(run.outputs.trials.read_text().splitlines()))


def test_a_pruned_trial_is_counted_and_shown_and_never_the_best(pruned: Run) -> None:
    stopped = [row for row in rows(pruned) if row["state"] == "PRUNED"]
    assert stopped
    complete = 12 - len(stopped)
    assert pruned.results["states"] == {"complete": complete, "fail": 0, "pruned": len(stopped)}
    assert all(row["value"] == row["metrics_recall_at_10"] != "" for row in stopped)
    values = {int(r["number"]): float(r["value"]) for r in rows(pruned) if r["state"] == "COMPLETE"}
    assert pruned.results["best_trial"]["value"] == max(values.values())
    assert pruned.results["best_trial"]["number"] in values


def test_ranking_after_each_epoch_changes_no_model(pruned: Run, prepared: Path) -> None:
    objective = Objective(prepared, settings("random", "none"))
    best = Trial(0, "RUNNING", pruned.results["best_trial"]["params"])
    seen: dict[int, float] = {}
    assert objective(best).metrics == pruned.results["best_trial"]["metrics"]
    watched = objective(best, lambda epoch, value: bool(seen.update({epoch: value})))
    assert watched == objective(best)
    assert seen[best.params["epochs"]] == watched.metrics["recall_at_10"]
    # What was seen after an epoch is what training only so long would have given.
    for epoch, value in seen.items():
        shorter = replace(best, params=best.params | {"epochs": epoch})
        assert objective(shorter).metrics["recall_at_10"] == value


def test_an_unset_parameter_is_an_empty_cell(pruned: Run) -> None:
    for row in rows(pruned):
        assert (row["params_temperature"] == "") == (row["params_loss"] == "mse")


def test_pinned_values_are_shown_and_part_of_the_best(tmp_path: Path, prepared: Path) -> None:
    fixed = {"loss": "mse", "batch_size": 32}
    run = Run(tmp_path, prepared, settings("random", "none", 4, fixed=fixed))
    assert run.results["fixed"] == fixed
    assert run.results["best_params"].items() >= fixed.items()
    assert run.results["search_space"].keys() == {"dim", "epochs", "lr"}
    assert run.results["include_defaults"] is False
    assert "default" not in json.loads(run.outputs.validation.read_text())
    assert rows(run)[0].keys().isdisjoint({"params_loss", "params_temperature"})
    # The best parameters alone, on the sections as they are, are the best trial.
    best = Trial(0, "RUNNING", run.results["best_params"])
    again = Objective(prepared, settings("random", "none"))(best)
    assert again.metrics == run.results["best_trial"]["metrics"]
