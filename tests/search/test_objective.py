"""What a trial is worth, and what refit is told to train."""

import numpy as np
import pytest

from tests.conftest import events, split_by_user, write_prepared
from twotower.config import Config, parse_config
from twotower.data.prepared import read_catalogue, read_split
from twotower.search.objective import Objective
from twotower.search.outputs import best_params
from twotower.search.trial import Trial
from twotower.training.fit import fit

SPECTRAL = {"init": "spectral", "similarity": "dot"}


def config(**sections) -> Config:
    return parse_config({"hpo": {"include_defaults": False}} | sections)


def trial(**params) -> Trial:
    return Trial(0, "RUNNING", params)


def test_patience_stops_and_keeps_the_best_epoch(prepared) -> None:
    train = {"epochs": 12, "batch_size": 64, "lr": 0.05, "schedule": "linear"}
    settings = config(model={"dim": 8}, train=train | {"patience": 2})
    seen: list[float] = []

    def report(_epoch: int, value: float) -> bool:
        seen.append(value)
        return False

    finished = Objective(prepared, settings)(trial(), report)
    best = int(np.argmax(seen)) + 1
    assert finished.best_epoch == best
    assert len(seen) == min(best + 2, 12)
    assert finished.metrics["recall_at_10"] == max(seen)
    assert finished.state == "COMPLETE"
    # Refit is told to train the same epochs of the same schedule.
    params = best_params(settings.search_space, finished)
    assert params == {"last_epoch": best}
    again = config(model={"dim": 8}, train=train | params)
    assert Objective(prepared, again)(trial()).metrics == finished.metrics


def test_without_patience_the_last_epoch_counts(prepared) -> None:
    settings = config(model={"dim": 8}, train={"epochs": 3, "batch_size": 64})
    finished = Objective(prepared, settings)(trial())
    assert finished.best_epoch is None
    assert len(finished.losses) == 3
    assert best_params(settings.search_space, finished) == {}


def test_the_closed_form_model_is_scored_without_an_epoch(prepared) -> None:
    settings = config(model=SPECTRAL, train={"epochs": 0})
    finished = Objective(prepared, settings)(trial(dim=8))
    assert finished.losses == []
    assert finished.metrics["recall_at_10"] > 0


@pytest.mark.parametrize("init", ["spectral", "ridge"])
def test_all_trials_cut_their_start_from_one_decomposition(prepared, tmp_path, init) -> None:
    space = {"dim": {"type": "categorical", "choices": [4, 16]}}
    hpo = {"include_defaults": False, "search_space": space}
    model = SPECTRAL | {"dim": 4, "init": init}
    settings = config(model=model, train={"epochs": 0}, hpo=hpo)
    objective = Objective(prepared, settings, tmp_path / "kept")
    trials = {dim: objective(trial(dim=dim)) for dim in (4, 16)}
    assert len(list((tmp_path / "kept").glob("*.npz"))) == 1
    params = best_params(settings.search_space, trials[4])
    assert params == {"dim": 4, "spectral_rank": 16}
    # The same vectors as a training run with these parameters.
    model, train = settings.search_space.sections(params)
    catalogue = read_catalogue(prepared / "vocabulary")
    rows = catalogue.encode(read_split(prepared / "train.parquet"))
    fitted = fit(catalogue, rows, model, train, seed=settings.seed)
    assert objective._validate(model, fitted) == trials[4].metrics


def test_new_users_are_scored_by_what_is_folded_in(tmp_path) -> None:
    parts = split_by_user(events(seed=0))
    prepared = write_prepared(tmp_path / "a", parts)
    settings = config(model=SPECTRAL | {"user_tower": "history"}, train={"epochs": 0})
    objective = Objective(prepared, settings)
    value = objective(trial(dim=8)).metrics["recall_at_10"]
    users = set(parts["validation"]["user_id"])
    assert len(objective.target) + objective.target.num_users_nothing_new == len(users)
    assert value > 0.5
    # What is known of the users decides, and with nothing known of them there is nobody to score.
    unknown = parts["validation_history"].assign(item_id=parts["train"]["item_id"].iloc[0])
    others = write_prepared(tmp_path / "b", parts | {"validation_history": unknown})
    assert Objective(others, settings)(trial(dim=8)).metrics["recall_at_10"] < value
    # Nothing of the test users is read.
    for name in ("test", "test_history"):
        (prepared / f"{name}.parquet").unlink()
    assert Objective(prepared, settings)(trial(dim=8)).metrics["recall_at_10"] == value
