import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from twotower.common.errors import ConfigError
from twotower.config import load_config, parse_config, places
from twotower.config.hyperparameters import hyperparameters
from twotower.config.params import Config, stated_secrets
from twotower.config.training import ModelConfig, TrainConfig

INT = {"type": "int", "low": 8, "high": 64, "step": 8}
FLOAT = {"type": "float", "low": 1e-4, "high": 0.1, "log": True}


def several(*objectives: str, **hpo: Any) -> dict[str, Any]:
    return {"hpo": {"objectives": list(objectives), **hpo}}


def space(**parameters: Any) -> dict[str, Any]:
    return {"hpo": {"search_space": parameters}}


def test_committed_file_holds_every_key() -> None:
    raw = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    assert set(raw) == set(Config.model_fields)
    for section in raw.keys() - {"format_version", "portable", "seed"}:
        assert set(raw[section]) == set(Config.model_fields[section].annotation.model_fields)


def test_committed_defaults_are_those_of_the_code() -> None:
    committed = load_config(REPOSITORY / "params.yaml")
    assert (committed.model, committed.train) == (ModelConfig(), TrainConfig())
    assert committed.hpo == Config().hpo


def test_numbers_written_as_text_are_numbers() -> None:
    config = parse_config({"train": {"lr": "1e-3"}, **space(lr=FLOAT | {"low": "1e-06"})})
    assert config.train.lr == 0.001
    assert config.hpo.search_space["lr"].low == 1e-6


def test_integral_floats_are_the_same_study() -> None:
    plain = parse_config(space(dim=INT))
    written = parse_config(space(dim=INT | {"low": 8.0, "step": "8"}))
    assert plain == written
    sizes = {"type": "categorical", "choices": [128, 256], "only_if": {"dim": 32}}
    floats = sizes | {"choices": [128.0, 256.0], "only_if": {"dim": 32.0}}
    plain, written = (parse_config(space(dim=INT, batch_size=it)) for it in (sizes, floats))
    assert repr(plain) == repr(written)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"format_version": 2}, ["format_version: this version of twotower reads 1, got 2"]),
        ({"hpo": {"trials": 5}}, ["hpo.trials: there is no such key; did you mean n_trials?"]),
        ({"hpo": {"n_trials": 0}}, ["hpo.n_trials", "greater than 0", "0"]),
        ({"hpo": {"confirm": {"seeds": 1}}}, ["hpo.confirm.seeds", "greater than or equal to 2"]),
        ({"hpo": {"confirm": {"best": 5}}}, ["hpo.confirm.best"]),
        ({"model": {"dim": 2.5}}, ["model.dim", "2.5"]),
        ({"train": {"lr": float("nan")}}, ["train.lr", "finite"]),
        ({"hpo": {"n_trials": True}}, ["hpo.n_trials: must be a number, got True"]),
        ({"guard": {"max_new_users": False}}, ["guard.max_new_users", "a number, got False"]),
        (space(lr=FLOAT | {"high": True}), ["search_space.lr.high", "a number, got True"]),
        ({"data": {"event_weights": {"view": 1e31}}}, ["event_weights.view", "less than or equal"]),
        ({"mlflow": {"experiment": ""}}, ["mlflow.experiment", "at least 1 character"]),
        ({"evaluate": {"ks": []}}, ["evaluate.ks", "one or more distinct numbers"]),
        ({"evaluate": {"ks": ["a"]}}, ["evaluate.ks.0: must be a whole number", "'a'"]),
        ({"evaluate": {"ks": [True]}}, ["evaluate.ks.0: must be a number, got True"]),
        ({"evaluate": {"ks": [10, 5]}}, ["evaluate.ks", "ascending"]),
        ({"hpo": {"objective": "recall_at_11"}}, ["hpo.objective", "recall_at_10", "recall_at_11"]),
        (
            several("recall_at_11", "mrr"),
            ["hpo.objectives, the first: must be one of", "recall_at"],
        ),
        (several("mrr", "recal_at_10"), ["hpo.objectives: must be", "did you mean recall_at_10?"]),
        (
            several("coverage_at_10", "mrr"),
            ["the first: must be one of recall_at_5, "],
        ),
        (several("mrr"), ["hpo.objectives: must have 2 or more entries"]),
        (several("mrr", "mrr"), ["hpo.objectives: names a metric twice: ['mrr', 'mrr']"]),
        ({"hpo": {"objectives": ["mrr", {"map_at_5": 1}]}}, ["hpo.objectives.map_at_5: must be"]),
        ({"hpo": {"objectives": ["mrr", 5]}}, ["hpo.objectives: must be a list of", "['mrr', 5]"]),
        ({"hpo": {"objectives": ["mrr", {"a": 1, "b": 2}]}}, ["hpo.objectives: must be a list of"]),
        (
            {"hpo": {"objectives": {"mrr": "maximize", "gini_at_5": "minimize"}}},
            ["hpo.objectives: must be a list of metrics, such as [recall_at_10, {gini_at_10: min"],
        ),
        (
            {"hpo": {"objectives": "mrr"}},
            ["hpo.objectives: must be a list of metrics", "got 'mrr'"],
        ),
        (several("1 mrr", "map_at_5"), ["hpo.objectives: takes metrics one by one", "'1 mrr' is"]),
        ({"hpo": {"objectives": [{"mrr": "up"}, "gini_at_5"]}}, ["objectives.mrr", "up"]),
        (
            {"hpo": {"objectives": [{"mrr": "minimize"}, "gini_at_5"]}},
            ["hpo: objectives: the first one, mrr, must be maximised"],
        ),
        (several("mrr", "gini_at_5", pruner="median"), ["hpo: pruner: median judges by one"]),
        (several("mrr", "gini_at_5", sampler="cmaes"), ["hpo: sampler: cmaes is for one"]),
        ({"hpo": {"sampler": "nsga2"}}, ["hpo: sampler: nsga2 is for several objectives"]),
        ({"hpo": {"choose": {"limits": {"mrr": 1}}}}, ["hpo: choose: limits and weights are of"]),
        (
            several("mrr", "gini_at_5", choose={"weights": {"gini_at_10": 1}}),
            ["hpo: choose: must be one of mrr, gini_at_5, got 'gini_at_10'"],
        ),
        (several("mrr", "gini_at_5", choose={"weights": {"mrr": 0}}), ["hpo.choose.weights.mrr"]),
        (several("mrr", "gini_at_5", choose={"keep": 1.5}), ["hpo.choose.keep", "1"]),
        ({"split": {"test": 1.0}}, ["split.test", "less than 1"]),
        (space(dim=INT | {"high": 60}), ["hpo.search_space.dim", "step 8 does not divide"]),
        (
            space(epochs={"type": "int", "low": "9" * 400, "high": 5}),
            ["hpo.search_space.epochs.low", "must be a finite number"],
        ),
        (
            space(lr={"type": "float", "low": 0.1, "high": 1e308, "step": 0.1}),  # inf steps
            ["hpo.search_space.lr", "step 0.1 makes inf values"],
        ),
        (space(dim=INT | {"low": 1.5}), ["hpo.search_space.dim.low", "1.5"]),
        (space(dim=INT | {"low": 72}), ["hpo.search_space.dim", "must not exceed"]),
        (
            space(dim=INT | {"steps": 8}),
            ["dim.steps: there is no such key; did you mean step?"],
        ),
        (space(lr=FLOAT | {"low": 0}), ["hpo.search_space.lr", "log scale needs low > 0"]),
        (space(lr=FLOAT | {"step": 0.1}), ["hpo.search_space.lr", "cannot be combined"]),
        (space(lr={"type": "uniform"}), ["hpo.search_space.lr", "uniform"]),
        (space(batch_size={"type": "categorical", "choices": []}), ["batch_size.choices"]),
        (space(batch_size={"type": "categorical", "choices": [256, 256]}), ["distinct"]),
        (
            space(hidden={"type": "categorical", "choices": [[]]}),
            ["search_space.hidden.choices.0: must be a finite number, text, true or false"],
        ),
        (space(dim=INT | {"low": True}), ["search_space.dim.low: must be a number, got True"]),
        (space(lr=FLOAT | {"high": True}), ["search_space.lr.high: must be a number, got True"]),
        (
            space(lr={"type": "categorical", "choices": [0.003, float("inf")]}),
            ["search_space.lr.choices.1: must be a finite number", "got inf"],
        ),
        (
            space(spectral_rank={"type": "int", "low": 1, "high": 64}),
            ["search_space.spectral_rank", "at least dim, 32, got 1"],
        ),
        (space(depth=INT), ["hpo.search_space.depth", "not a hyperparameter", "batch_size"]),
        ({"train": {"lss": "mse"}}, ["train.lss: there is no such key; did you mean loss?"]),
        ({"trian": {}}, ["trian: there is no such key; did you mean train?"]),
        ({"train": {"dim": 8}}, ["train.dim: there is no such key; did you mean model.dim?"]),
        ({"refit": {"seed": 3}}, ["did you mean seeds or seed?"]),
        ({"visualize": {"png": 1}}, ["(there are static): leave it out, or -S '~visualize.png'"]),
        (
            {"data": {"items": {"features": {"a": {"kind": "numeric", "sort": 1}}}}},
            ["there are kind, separator"],
        ),
        ({"hpo": {"fixed": {"los": "mse"}}}, ["hpo.fixed.los: ", "did you mean loss?"]),
        (space(dims=INT), ["search_space.dims: dims is not a hyperparameter; did you mean dim?"]),
        (space(wide=INT | {"sets": "dmi"}), ["dmi is not a hyperparameter; did you mean dim?"]),
        (
            space(dim=INT | {"only_if": {"los": "mse"}}),
            ["only_if.los: los is neither a hyperparameter nor an entry; did you mean loss?"],
        ),
        (
            space(wide=INT | {"sets": "dim"}, lr=FLOAT | {"only_if": {"wied": 8}}),
            ["search_space.lr.only_if.wied", "did you mean wide?"],
        ),
        (
            space(lr={"type": "flaot"}),
            ["lr: type must be one of int, float, categorical, got 'flaot'; did you mean float?"],
        ),
        (space(lr={"type": "int", "low": 1}), ["hpo.search_space.lr.high: is missing"]),
        ({"train": {"loss": "softmx"}}, ["train.loss: must be one of", "'softmx'; did you mean s"]),
        ({"model": {"similarity": "cosin"}}, ["one of cosine, dot, got 'cosin'; did you mean cos"]),
        ({"hpo": {"objective": "recal_at_10"}}, ["did you mean recall_at_10?"]),
        ({"hpo": {"sampler": "cma-es"}}, ["hpo.sampler: must be one of", "did you mean cmaes?"]),
        ({"hpo": {"study_name": "a b"}}, ["hpo.study_name: may have letters, digits", "got 'a b'"]),
        ({"hpo": {"study_name": "x" * 101}}, ["hpo.study_name: must have at most 100 characters"]),
        ({"hpo": {"study_name": "x'; DROP TABLE studies;--"}}, ["may have letters, digits"]),
        ({"mlflow": {"model": "bob's"}}, ["mlflow.model: is a name in MLflow's registry"]),
        (space(), ["hpo.search_space: must have 1 or more entries, got {}"]),
        ({"train": {1: 2}}, ["train.1: keys must be text"]),
        ({"train": {"epochs": 0}}, ["train.epochs: 0", "needs model.init: spectral or ridge"]),
        ({"model": {"init": "spectral", "hidden": [8]}}, ["model", "needs hidden: []"]),
        ({"model": {"init": "ridge", "item_tower": "features"}}, ["init: ridge", "id or both"]),
        ({"model": {"ridge_penalty": 0}}, ["model.ridge_penalty", "greater than 0"]),
        ({"model": {"item_tower": "features", "features": False}}, ["needs features: true"]),
        ({"model": {"dim": 8, "spectral_rank": 4}}, ["spectral_rank", "at least dim, 8, got 4"]),
        (
            space(user_exponent={"type": "float", "low": 0, "high": 1}),
            ["search_space.user_exponent", "must be categorical"],
        ),
        (
            space(
                user_exponent={"type": "categorical", "choices": [0.3, 0.5, 0.7]},
                item_exponent={"type": "categorical", "choices": [0.3, 0.5]},
            ),
            ["make 6 combinations, at most 4"],
        ),
        (
            space(epochs=INT | {"low": -1, "step": 1}),
            ["search_space.epochs", "greater than or equal to 0"],
        ),
        (space(dim=INT | {"low": 64}), ["search_space.dim", "default 32 lies outside"]),
        (space(loss={"type": "categorical", "choices": ["softmax", "bce"]}), ["loss", "bce"]),
        ({"evaluate": {"ks": "5,10"}}, ["-S 'evaluate.ks=[5,10]', got '5,10'"]),
        ({"evaluate": {"ks": "[5, 10]"}}, ["must be a list: [5,10], or"]),
        ({"evaluate": {"ks": 10}}, ["must be a list: [10], or -S 'evaluate.ks=[10]', got 10"]),
        ({"evaluate": {"ks": None}}, ["evaluate.ks: must be a list, such as [a, b], got None"]),
        ({"model": {"hidden": "64 32"}}, ["-S 'model.hidden=[64,32]'"]),
        ({"refit": {"extra_baselines": "ials"}}, ["-S 'refit.extra_baselines=[ials]'"]),
        ({"hpo": {"fixed": {"hidden": "64,32"}}}, ["-S 'hpo.fixed.hidden=[64,32]'"]),
        ({"hpo": {"fixed": {"hidden": ["a"]}}}, ["hpo.fixed.hidden: must be a whole number"]),
        (
            space(lr={"type": "categorical", "choices": "0.1,0.2"}),
            ["-S 'hpo.search_space.lr.choices=[0.1,0.2]'"],
        ),
        ({"hpo": {"fixed": "loss=mse"}}, ["{name: value}, or -S '+hpo.fixed.name=value'"]),
        ({"hpo": {"fixed": None}}, ["hpo.fixed: must be keys", "leave it out, or -S '~hpo.fixed'"]),
        (space(lr=None), ["must be keys and their values; to be", "-S '~hpo.search_space.lr'"]),
        (space(lr=INT | {"choices": [1]}), ["leave it out, or -S '~hpo.search_space.lr.choices'"]),
        (space(lr={"low": 1}), ["hpo.search_space.lr: must have a type, got {'low': 1}"]),
        ({"train": {"lr": "0,003"}}, ["train.lr: must be a number, such as 0.003, got '0,003'"]),
        ({"train": {"lr": "fast"}}, ["train.lr: must be a number, such as", "got 'fast'"]),
        ({"train": {"lr": "1e400"}}, ["train.lr", "finite", "got '1e400'"]),
        ({"hpo": {"n_trials": "2.5"}}, ["hpo.n_trials: must be a whole number, such as 10"]),
        ({"train": {"logq": "maybe"}}, ["train.logq: must be true or false, got 'maybe'"]),
        ({"split": {"column": 3}}, ["split.column: must be text: write '3', in quotes, got 3"]),
        ({"data": {"root": date(2024, 1, 5)}}, ["data.root: must be text: write '2024-01-05', in"]),
        ({"mlflow": {"model": True}}, ["mlflow.model: must be text: write 'true', in quotes"]),
        ({"data": {"root": ["a"]}}, ["data.root: must be text, got ['a']"]),
        ({"data": {"event_weights": {1: 2}}}, ["event_weights.1: must be text: write '1', in"]),
        (
            {"hpo": {"sampler": 5}},
            ["hpo.sampler: must be one of tpe, random, gp, cmaes, nsga2, got 5"],
        ),
        *(
            (space(**{name: FLOAT | {"low": "x"}}), [f"hpo.search_space.{name}.low: must be"])
            for name in ("random", "float", "int", "tpe", "categorical")
        ),
        ({"hpo": {"sampler": {"type": "gp", "n_startup_trials": 0}}}, ["sampler.n_startup_trials"]),
        ([1], ["must be keys and their values, got [1]"]),
    ],
)
def test_broken_rules_are_named(raw: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(raw)
    message = str(caught.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


WRONG = (None, "", "x", [], {1: 2}, -1, 1e40, float("nan"), True)


def complaint(key: str, value: Any) -> str:
    """About a file in which this key has that value; empty if it is right."""
    raw = value
    for name in reversed(key.split(".")):
        raw = {name: raw}
    try:
        parse_config(raw)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("key", list(places._keys(Config)))
def test_no_rule_is_in_the_words_of_the_library(key: str) -> None:
    complaints = [complaint(key, value) for value in WRONG]
    assert any(complaints)
    library = re.compile("Input|Field|Extra|Keys|Unable|Value|should|a valid")
    assert not [words for words in complaints if library.search(words)]


def test_every_broken_rule_has_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"model": {"dim": 0}, "train": {"epochs": -1}})
    assert len(str(caught.value).splitlines()) == 2


def test_default_outside_the_space_is_fine_when_it_is_no_trial() -> None:
    raw = space(dim=INT | {"low": 64})
    raw["hpo"]["include_defaults"] = False
    assert parse_config(raw).model.dim == 32


def test_file_problems(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(tmp_path / "bad.yaml")


def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    """Version 1.1 would take `on` for true, 010 for eight, and 1e-4 for text."""
    path = tmp_path / "params.yaml"
    path.write_text("seed: 010\ndata: {interactions: {columns: {event: on}}}\ntrain: {lr: 1e-4}\n")
    config = load_config(path)
    assert (config.seed, config.train.lr) == (10, 1e-4)
    assert config.data.interactions.columns.event == "on"


def test_a_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("hpo:\n  n_trials: 3\n  workers: 2\n  n_trials: 4\n")
    with pytest.raises(ConfigError, match="n_trials is given twice, line 4, column 3"):
        load_config(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "hpo:\n  storage: postgresql://me:s3cret@host/db: x",
        'hpo:\n  storage: "postgresql://me:s3cret@host/db',
        'hpo:\n  storage: ["postgresql://me:it\'s s3cret@host/db"]',
        "hpo:\n  executor: postgresql://me:s3cret@host/db",
        "hpo:\n  storage: {user: me, password: s3cret}",
        "evaluate:\n  ks: http://host?token=s3cret",
        "postgresql://me:s3cret@host/db: 1",
    ],
)
def test_no_message_shows_a_password(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "params.yaml")
    assert "s3cret" not in str(caught.value)


def test_overrides_replace_values_by_dotted_key(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("hpo: {n_trials: 3}\n")
    config = load_config(tmp_path / "params.yaml", {"hpo.n_trials": 7, "data.root": "there"})
    assert (config.hpo.n_trials, config.data.root) == (7, "there")


def test_hyperparameters_have_one_home_each() -> None:
    assert not set(ModelConfig.model_fields) & set(TrainConfig.model_fields)
    model, train = Config().search_space.sections({"dim": 8, "lr": 0.5})
    assert (model.dim, train.lr) == (8, 0.5)
    assert hyperparameters(model, train)["dim"] == 8


def test_a_long_value_is_not_shown_whole() -> None:
    url = f"postgresql://user:{'x' * 200}@host/db"
    with pytest.raises(ConfigError) as caught:
        parse_config({"seed": ["x" * 99_999], "hpo": {"storage": [url, "y" * 200]}})
    seed, storage = str(caught.value).splitlines()
    assert seed == f"params.yaml: seed: must be a whole number, such as 10, got ['{'x' * 77}…"
    shown = f"['postgresql://***@host/db', '{'y' * 49}…"
    assert storage == f"params.yaml: hpo.storage: must be text, got {shown}"


def test_of_many_problems_the_first_are_listed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({f"x{number}": 1 for number in range(1_040)})
    lines = str(caught.value).splitlines()
    assert len(lines) == 41
    assert lines[-1] == "params.yaml: and 1,000 more problems"


def test_passwords_are_named_with_their_place_and_not_shown() -> None:
    keys = {
        "hpo": {"storage": "postgresql://me:s3cret@host/db"},
        "mlflow": {"tracking_uri": "http://me:s3cret@host:5000"},
    }
    storage, tracking = stated_secrets(parse_config(keys))
    assert storage.startswith("hpo.storage holds a password")
    assert storage.endswith("put it into PGPASSWORD or ~/.pgpass")
    assert tracking.startswith("mlflow.tracking_uri holds a password")
    assert "s3cret" not in storage + tracking


def test_what_has_none_is_not_named() -> None:
    keys = {"hpo": {"storage": "postgresql://me@host/db"}, "mlflow": {"tracking_uri": None}}
    assert list(stated_secrets(parse_config(keys))) == []
