import shutil
from pathlib import Path

import pytest

import twotower
from tests.test_dvc_yaml import file_of, imported
from twotower.common import portable
from twotower.config import parse_config
from twotower.config.training import TrainConfig
from twotower.search.identity import build_identity, code_digest, provenance, python_files

DATA = {"train.parquet": "a"}
BASE = {"hpo": {"n_trials": 5}, "model": {"dim": 32}}


def digest(raw: dict, data: dict[str, str] | None = None) -> str:
    return build_identity(parse_config(raw), data or DATA).digest


@pytest.mark.parametrize(
    "change",
    [
        {"hpo": {"n_trials": 50}},
        {"hpo": {"timeout": 3}},
        {"hpo": {"workers": 3, "executor": "dask", "dask": {"address": "tcp://a:1", "wait": 9}}},
        {"hpo": {"storage": "sqlite:///x.db"}},
        {"hpo": {"on_drift": "resume"}},
        {"mlflow": {"enabled": True}},
        {"visualize": {"static": "never"}},
        {"refit": {"final": "all"}},
        {"train": {"device": "cpu"}},
        {"train": {"epochs": 5.0}},
        {"hpo": {"sampler": {"type": "tpe", "n_startup_trials": 10.0}}},
        {"hpo": {"pruner": None}},
        {"hpo": {"fixed": {}}},
        {"evaluate": {"relevant": {"events": None, "min_weight": None}}},
        {"evaluate": {"cluster": "household_id"}},
    ],
)
def test_how_much_and_where_are_no_part_of_it(change: dict) -> None:
    assert digest(BASE | change) == digest(BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"hpo": {"lookahead": 1}},
        {"hpo": {"sampler": "random"}},
        {"hpo": {"sampler": {"type": "tpe", "n_startup_trials": 5}}},
        {"hpo": {"pruner": "median"}},
        {"hpo": {"pruner": {"type": "median", "n_warmup_steps": 3}}},
        {"hpo": {"fixed": {"temperature": 0.2}}},
        {"hpo": {"fixed": {"lr": 0.003}}},
        {"hpo": {"include_defaults": False}},
        {"hpo": {"objective": "mrr"}},
        {"hpo": {"objective": {"mrr": 0.5, "recall_at_10": 0.5}}},
        {"split": {"cold_items": 0.1}},
        {"hpo": {"search_space": {"dim": {"type": "int", "low": 8, "high": 64, "step": 8}}}},
        {"model": {"temperature": 0.2}},
        {"train": {"threads": 2}},
        {"train": {"lr": 0.006}},
        {"evaluate": {"ks": [10]}},
        {"evaluate": {"exclude_seen": False}},
        {"evaluate": {"relevant": {"events": ["purchase"]}}},
        {"evaluate": {"relevant": {"min_weight": 4}}},
    ],
)
def test_whatever_a_trial_depends_on_is(change: dict) -> None:
    assert digest(BASE | change) != digest(BASE)


def test_the_share_of_the_users_is() -> None:
    config = parse_config(BASE)
    assert build_identity(config, DATA, share=0.5).digest != build_identity(config, DATA).digest


def test_a_parameter_that_is_added_later_discards_no_study() -> None:
    class NewTrainConfig(TrainConfig):
        momentum: float = 0.0

    config = parse_config(BASE)
    newer = config.model_copy(update={"train": NewTrainConfig()})
    used = config.model_copy(update={"train": NewTrainConfig(momentum=0.9)})
    assert build_identity(newer, DATA).digest == build_identity(config, DATA).digest
    assert build_identity(used, DATA).digest != build_identity(config, DATA).digest


def test_data_is_part_of_it() -> None:
    assert digest(BASE, {"train.parquet": "b"}) != digest(BASE)


def test_space_is_the_same_however_it_is_written() -> None:
    one = {"lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}}
    other = {"lr": {"log": "true", "high": "1e-1", "low": "0.0001", "type": "float"}}
    assert digest({"hpo": {"search_space": one}}) == digest({"hpo": {"search_space": other}})


LOSS = {"type": "categorical", "choices": ["softmax", "mse"]}
LR = {"type": "float", "low": 1e-4, "high": 1e-1}


def test_conditions_are_part_of_it_where_they_decide_anything() -> None:
    def of(only_if: dict, loss: dict | None = None) -> str:
        space = {"lr": LR | {"only_if": only_if}, "dim": {"type": "int", "low": 8, "high": 64}}
        return digest({"hpo": {"search_space": space | (loss or {})}})

    assert of({"loss": "mse"}, {"loss": LOSS}) != of({}, {"loss": LOSS})
    assert of({"loss": "mse"}, {"loss": LOSS}) == of({"loss": ["mse"]}, {"loss": LOSS})
    assert of({"loss": "softmax"}) == of({})  # the default: it always holds
    assert of({"loss": "mse"}) != of({})  # it never does


def test_a_pinned_value_is_the_same_however_it_is_written() -> None:
    space = {"dim": {"type": "int", "low": 8, "high": 64}}
    one, other = (
        {"hpo": {"search_space": space, "fixed": {"lr": lr, "epochs": epochs}}}
        for lr, epochs in ((1e-3, 5), ("1e-3", 5.0))
    )
    assert digest(one) == digest(other)
    # The range of what is pinned does not matter.
    wide = {"hpo": {"search_space": space | {"lr": LR}, "fixed": {"lr": 1e-3, "epochs": 5}}}
    assert digest(wide) == digest(one)


def test_a_choice_is_the_same_however_it_is_written() -> None:
    def of(lr: float | str) -> str:
        space = {"lr": {"type": "categorical", "choices": [lr, "3e-3"]}, "loss": LOSS}
        return digest({"hpo": {"search_space": space, "fixed": {"loss": "mse"}}})

    assert of("1e-06") == of("0.000001") == of(1e-06)
    assert of("1e-05") != of(1e-06)


def write(folder: Path, text: str) -> str:
    (folder / "a.py").write_text(text)
    return code_digest(folder, ["a.py"])


def test_code_counts_and_prose_does_not(tmp_path: Path) -> None:
    plain = write(tmp_path, "def f(x):\n    return x + 1\n")
    prose = '"""Module."""\n\n\ndef f(x):\n    """Function."""\n    return (x + 1)  # comment\n'
    assert write(tmp_path, prose) == plain
    assert write(tmp_path, "def f(x):\n    return x + 2\n") != plain


INPUTS = {
    *("common/errors.py", "common/progress.py", "config/__init__.py", "config/data.py"),
    "config/hpo.py",
    *("config/messages.py", "config/numbers.py", "config/params.py", "config/raw_files.py"),
    *("config/declared_features.py", "config/places.py", "config/section.py"),
    "config/splitting.py",
}
"""Modules through which a trial gets values, and reports what it does; they compute nothing."""


def test_the_code_of_the_objective_is_what_a_trial_imports() -> None:
    package = Path(twotower.__file__).parent
    roots = {"search/objective.py", "search/run_trial.py", "search/proposals/propose.py"}
    trial, waiting = set(roots), list(roots)
    while waiting:
        files = [file_of(module) for module in imported(package / waiting.pop())]
        names = {file.relative_to(package).as_posix() for file in files if file is not None}
        new = names - trial - INPUTS
        trial |= new
        waiting += new
    code = {name for name in python_files(package) if not name.endswith("__init__.py")}
    assert code == {name for name in trial if not name.endswith("__init__.py")}


def test_only_code_that_a_trial_runs_changes_the_provenance(tmp_path: Path) -> None:
    package = shutil.copytree(Path(twotower.__file__).parent, tmp_path / "twotower")
    before = code_digest(package)

    def after_edits_in(*rooms: str) -> str:
        for path in [path for room in rooms for path in (package / room).rglob("*.py")]:
            path.write_text(path.read_text(encoding="utf-8") + "\nEDITED = 1\n", encoding="utf-8")
        return code_digest(package)

    assert after_edits_in("assessment", "plots", "serving", "tracking") == before
    assert after_edits_in("training") != before


def test_cpus_that_are_pinned_are_one_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "in_effect", lambda: True)
    assert provenance().values["platform"].split()[2:] == ["portable"]


def test_provenance_names_the_gpu_where_it_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "H")
    monkeypatch.setattr("torch.version.cuda", "13.0")
    named = {kind: provenance(device=kind).values for kind in ("auto", "cuda", "cpu")}
    assert {named["auto"]["gpu"], named["cuda"]["gpu"]} == {"H"}
    assert named["auto"]["cuda"] == "13.0"
    assert "gpu" not in named["cpu"]


def test_provenance_names_what_can_change_a_value() -> None:
    values = provenance().values
    assert set(values) == {"code", "platform", "numpy", "optuna", "scikit-learn", "scipy", "torch"}
    assert set(provenance("gp").values) > {"greenlet"}
    assert set(provenance("cmaes").values) > {"cmaes"}
    assert values["code"] == code_digest(Path(twotower.__file__).parent)
