import pytest
from optuna.trial import TrialState

from tests.plots.searches import SPACE, random_trials, trial, write_search
from twotower.common.errors import DataError
from twotower.plots.drawn_search import read_search


def test_the_study_is_the_search(twenty):
    trials = twenty.study.trials

    assert [t.number for t in trials] == list(range(20))
    assert [t.number for t in twenty.in_state(TrialState.FAIL)] == [6]
    assert [t.number for t in twenty.in_state(TrialState.PRUNED)] == [9]
    assert twenty.best.number == twenty.study.best_trial.number
    assert twenty.defaults.number == 0
    assert (twenty.random, twenty.num_users, twenty.split) == (0.03, 512, "validation")


def test_values_get_the_types_of_the_search_space(search):
    space = SPACE | {
        "features": {"type": "categorical", "choices": [True, False]},
        "temperature": {"type": "categorical", "choices": [0.1, 1e-05]},
    }
    row = trial(0.1, dim=16, lr=0.001, batch_size=256, loss="mse", features=True, temperature=1e-5)

    (only,) = search([row], space).study.trials

    assert only.params == {
        "dim": 16, "lr": 0.001, "batch_size": 256, "loss": "mse", "features": True,
        "temperature": 1e-5,
    }  # fmt: skip
    assert type(only.params["dim"]) is int
    assert only.params["features"] is True


def test_defaults_only_if_they_were_tried_and_completed(search):
    rows = random_trials(2)

    assert search(rows, include_defaults=False).defaults is None
    assert search([trial(None, "FAIL", lr=0.1), *rows]).defaults is None
    assert search(rows).defaults.number == 0


def test_a_search_without_trials(search):
    found = search([], num_users=None, random={})

    assert (found.study.trials, found.best, found.random) == ([], None, None)


def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(DataError, match=r"hpo_results\.json: no such file; run dvc repro hpo"):
        read_search(tmp_path / "hpo_results.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"9" * 5000, "not valid JSON"),
        (b"[" * 3000, "not valid JSON"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "the whole file"),
        (b'{"format_version": 2}', "best_trial: Field required"),
        (b'{"best_trial": null}', r"format version 1, but 2 is needed; run dvc repro -f -s hpo"),
        (b'{"format_version": 3}', "format version 3, but 2 is needed"),
    ],
)
def test_unreadable_results(tmp_path, content, message):
    path = tmp_path / "hpo_results.json"
    path.write_bytes(content)

    with pytest.raises(DataError, match=message) as error:
        read_search(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 1}, "trials.0: expected number 0, got 1"),
        ({"state": "DONE"}, r"trials\.0\.state: Input should be 'RUNNING', 'COMPLETE'"),
        ({"value": None}, r"trials\.0: .*value"),
        ({"params": {"x": 1}}, r"trials\.0: 'x' is not in the search space"),
        ({"params": {"lr": 2}}, r"trials\.0: .*'lr'"),
        ({"params": {"lr": "x"}}, r"trials\.0: 'x' is not a valid type"),
        ({"params": {"loss": "x"}}, r"trials\.0: 'x' not in \('softmax', 'mse'\)"),
        ({"params": {"loss": 10**400}}, r"trials\.0: int too large to convert to float"),
    ],
)
def test_damaged_trials_are_named_in_one_line(tmp_path, change, message):
    first, second = ({"number": n, **row} for n, row in enumerate(random_trials(2)))
    path = write_search(tmp_path, [], trials=[first | change, second])

    with pytest.raises(DataError, match=message) as error:
        read_search(path)
    assert "hpo_results.json: " in str(error.value)
    assert str(error.value).endswith("(finished trials are kept)")
    assert "\n" not in str(error.value)


def test_a_best_trial_that_is_not_there(tmp_path):
    path = write_search(tmp_path, random_trials(2), best_trial={"number": 5})

    with pytest.raises(DataError, match=r"best_trial: 5 is not a complete trial"):
        read_search(path)


def test_a_chosen_trial_that_was_not_confirmed(tmp_path):
    confirm = {"chosen": 1, "seeds": 3, "trials": [{"number": 0, "mean": 0.1}]}
    path = write_search(tmp_path, random_trials(2), confirm=confirm)

    with pytest.raises(DataError, match=r"confirm\.chosen: .*trial 1 is not among"):
        read_search(path)


def test_an_unknown_kind_of_parameter(tmp_path):
    path = write_search(tmp_path, [], {"x": {"type": "odd"}})

    with pytest.raises(DataError, match=r"hpo_results.json: search_space\.x"):
        read_search(path)
