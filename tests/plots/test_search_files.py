import pytest
from optuna.trial import TrialState

from tests.plots.search_files import SPACE, random_trials, trial, write_search
from twotower.common.errors import DataError


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


def test_a_float_rounded_across_its_bound_is_put_back(search):
    space = {"lr": {"type": "float", "low": 0.001, "high": 0.1}}

    assert search([trial(0.1, lr=0.10000001)], space).study.trials[0].params == {"lr": 0.1}


def test_empty_cells_are_absent_parameters(search):
    assert search([trial(0.1, lr=0.01)]).study.trials[0].params == {"lr": 0.01}


def test_defaults_only_if_they_were_tried_and_completed(search):
    rows = random_trials(2)

    assert search(rows, include_defaults=False).defaults is None
    assert search([trial(None, "FAIL", lr=0.1), *rows]).defaults is None
    assert search(rows).defaults.number == 0


def test_a_search_without_trials(search):
    found = search([], num_users=None, random={})

    assert (found.study.trials, found.best, found.random) == ([], None, None)


@pytest.mark.parametrize("name", ["results", "trials"])
def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path, name):
    files = write_search(tmp_path, random_trials(2))
    path = getattr(files, name)
    path.unlink()

    with pytest.raises(DataError, match=rf"{path.name}: no such file; run dvc repro hpo"):
        files.read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "the whole file"),
        (b"{}", "best_trial: Field required"),
    ],
)
def test_unreadable_results(tmp_path, content, message):
    files = write_search(tmp_path, random_trials(2))
    files.results.write_bytes(content)

    with pytest.raises(DataError, match=message) as error:
        files.read()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "no column number, state, value"),
        ("number,state\n", "no column value"),
        ("number,state,value,params_x\n", "params_x is not in the search space"),
        ("number,state,value\n0,COMPLETE\n", "line 2: not as many cells"),
        ("number,state,value\n0,COMPLETE,1,2\n", "line 2: not as many cells"),
        ("number,state,value\n1,COMPLETE,1\n", "line 2: number: must count up from 0"),
        ("number,state,value\n0,RUNNING,\n", "line 2: state: must be one of COMPLETE, FAIL"),
        ("number,state,value\n0,COMPLETE,\n", "line 2: value: a complete trial needs"),
        ("number,state,value\n0,COMPLETE,nan\n", "line 2: value: a complete trial needs"),
        ("number,state,value,params_lr\n0,FAIL,,2\n", "params_lr: must be a number from 0.0001"),
        ("number,state,value,params_lr\n0,FAIL,,x\n", "params_lr: must be a number from 0.0001"),
        ("number,state,value,params_loss\n0,FAIL,,x\n", "params_loss: must be one of softmax"),
        ('number,state,value\n0,FAIL,"\n', "not valid CSV"),
        ("number,state,value\n0,FAIL,\n", "of different searches"),
    ],
)
def test_unreadable_trials_name_line_and_rule(tmp_path, table, message):
    files = write_search(tmp_path, random_trials(2))
    files.trials.write_text(table)

    with pytest.raises(DataError, match=message) as error:
        files.read()
    assert "hpo_trials.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_best_trial_of_another_search(tmp_path):
    files = write_search(tmp_path, random_trials(2), best_trial={"number": 5})

    with pytest.raises(DataError, match=r"the best trial is trial 5, .* different searches"):
        files.read()


def test_a_chosen_trial_that_was_not_confirmed(tmp_path):
    confirm = {"chosen": 1, "seeds": 3, "trials": [{"number": 0, "mean": 0.1}]}
    files = write_search(tmp_path, random_trials(2), confirm=confirm)

    with pytest.raises(DataError, match=r"confirm\.chosen: .*trial 1 is not among"):
        files.read()


def test_an_unknown_kind_of_parameter(tmp_path):
    files = write_search(tmp_path, [], {"x": {"type": "odd"}})

    with pytest.raises(DataError, match=r"hpo_results.json: search_space\.x"):
        files.read()
