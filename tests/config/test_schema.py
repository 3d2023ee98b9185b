"""The JSON Schema of params.yaml says what the sections say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.config.schema import params_schema
from tests.config.test_params import INT, space
from tests.conftest import REPOSITORY
from twotower.cli.preset import apply_preset
from twotower.common.choices import OneOf, Table, choices_of
from twotower.common.errors import ConfigError
from twotower.common.yaml_file import read_yaml
from twotower.config import parse_config, places
from twotower.config.hyperparameters import hyperparameters
from twotower.config.params import Config
from twotower.config.training import ModelConfig, TrainConfig
from twotower.config.training_choices import LOSSES
from twotower.data.features import KINDS

SCHEMA = params_schema()
VALIDATOR = Draft7Validator(SCHEMA)
FILES = [REPOSITORY / "params.yaml", *sorted((REPOSITORY / "presets").glob("*.yaml"))]


def nested(key: str, value: Any) -> dict[str, Any]:
    """A file in which this key has that value."""
    raw = value
    for name in reversed(key.split(".")):
        raw = {name: raw}
    return raw


def accepted(raw: Any) -> bool:
    try:
        parse_config(raw)
    except ConfigError:
        return False
    return True


def complaints(raw: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(raw)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_ours_names_the_schema_and_keeps_it(path: Path) -> None:
    named = path.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")[2]
    assert json.loads((path.parent / named).read_text(encoding="utf-8")) == SCHEMA
    Draft7Validator.check_schema(SCHEMA)
    assert complaints(read_yaml(path)) == []


def test_a_preset_leaves_the_line_that_names_the_schema(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_bytes((REPOSITORY / "params.yaml").read_bytes())
    assert apply_preset(REPOSITORY / "presets/sequence.yaml", params)
    lines = params.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=params.schema.json"
    assert not [line for line in lines[1:] if "$schema" in line]


ANYTHING = (
    *(None, "", "x", [], ["x"], [1], {"x": 1}, {}, -1, 0, 0.5, 1, 1.0, 2, 1e40, True, False),
    *("1e-3", "1_000", " 5 ", "+.5", "0x10", "yes", "OFF", "None", "tpe", "none", "csv", "s", "%Y"),
)


@pytest.mark.parametrize("key", list(places._keys(Config)))
def test_the_schema_refuses_nothing_that_a_section_accepts(key: str) -> None:
    refused = [value for value in ANYTHING if not VALIDATOR.is_valid(nested(key, value))]
    assert refused
    assert not [value for value in refused if accepted(nested(key, value))]


DIM = {"dim": INT}


@pytest.mark.parametrize(
    "raw",
    [
        {"trian": {}},
        {"train": {"lss": "mse"}},
        {"train": {"loss": "softmx"}},
        {"train": {"lr": 0}},
        {"train": {"lr": "0,003"}},
        {"train": {"lr": "fast"}},
        {"train": {"logq": "maybe"}},
        {"train": {"schedule": None}},
        {"model": {"dim": 2.5}},
        {"model": {"dim": True}},
        {"model": {"hidden": "64,32"}},
        {"split": {"test": 1.0}},
        {"split": {"strategy": "temporl"}},
        {"format_version": 2},
        {"evaluate": {"ks": []}},
        {"evaluate": {"ks": [5, 5]}},
        {"data": {"interactions": {"format": "xls"}}},
        {"data": {"users": {"format": "adjacency"}}},
        {"data": {"interactions": {"columns": {"event": True}}}},
        {"data": {"items": {"features": {"a": "number"}}}},
        {"data": {"items": {"features": {"a": {"kind": "numeric", "sort": 1}}}}},
        {"data": {"items": {"features": {"a": {"optional": True}}}}},
        {"data": {"separator": '"'}},
        {"data": {"event_weights": {"view": 0}}},
        {"refit": {"extra_baselines": ["als"]}},
        {"refit": {"index": "faiss"}},
        {"mlflow": {"experiment": ""}},
        {"hpo": {"objective": "recal_at_10"}},
        {"hpo": {"objective": "coverage_at_10"}},
        {"hpo": {"fixed": {"los": "mse"}}},
        {"hpo": {"fixed": {"loss": "bce"}}},
        {"hpo": {"sampler": "grid"}},
        {"hpo": {"sampler": None}},
        {"hpo": {"sampler": {"n_startup_trials": 5}}},
        {"hpo": {"pruner": {"type": "median", "min_resource": 1}}},
        {"hpo": {"confirm": {"seeds": 1}}},
        {"hpo": {"study_name": "a b"}},
        space(),
        space(dims=INT),
        space(hidden={"type": "categorical", "choices": [1]}),
        space(dim=INT | {"type": "uniform"}),
        space(dim=INT | {"steps": 8}),
        space(dim={"type": "int", "low": 1}),
        space(wide=INT | {"sets": "dmi"}),
        space(lr={"type": "categorical", "choices": []}),
        space(lr={"type": "categorical", "choices": [None]}),
    ],
    ids=str,
)
def test_both_refuse_what_is_wrong(raw: Any) -> None:
    assert not accepted(raw)
    assert complaints(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"hpo": {"sampler": {"type": "gp", "n_startup_trials": "5"}, "pruner": "hyperband"}},
        {"hpo": {"pruner": None}},
        {"hpo": {"confirm": {"top": 2.0}}},
        {"hpo": {"objective": "ndcg_at_7"}, "evaluate": {"ks": [7]}},
        {"hpo": {"objective": "mrr", "fixed": {"hidden": [8], "init": "random", "lr": "1e-2"}}},
        {"data": {"header": False, "interactions": {"columns": {"user": 1, "event": False}}}},
        {
            "data": {
                "items": {"file": False, "features": {"a": "numeric", "b": {"kind": "numeric"}}}
            }
        },
        {"data": {"separator": "\\t", "event_weights": {"like": "2"}}},
        space(**DIM, lr={"type": "categorical", "choices": ["1e-3", 0.003], "only_if": {"dim": 8}}),
        space(narrow=INT | {"sets": "dim", "only_if": {"user_tower": ["id", "both"]}}),
    ],
    ids=str,
)
def test_both_accept_what_is_right(raw: Any) -> None:
    assert accepted(raw)
    assert complaints(raw) == []


def keys(part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys below a part of the schema that are written in it, and what is said of them."""
    for name, value in part.get("properties", {}).items():
        if "$ref" not in value:
            yield name, value


def test_every_key_is_described() -> None:
    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    silent = [name for part in parts for name, value in keys(part) if "description" not in value]
    assert silent == []


def test_editors_can_complete_what_tables_and_sections_list() -> None:
    parts = SCHEMA["$defs"]
    assert parts["TrainConfig"]["properties"]["loss"]["enum"] == list(LOSSES)
    assert parts["FeatureConfig"]["properties"]["kind"]["enum"] == list(KINDS)
    searched = hyperparameters(ModelConfig(), TrainConfig()).keys() - {"hidden"}
    assert parts["HpoConfig"]["properties"]["search_space"]["properties"].keys() == searched


def test_choices_of_a_validator() -> None:
    assert choices_of(Table("key").check) == {}
    assert choices_of(OneOf(lambda: ("a", "b"))) == ("a", "b")
    assert choices_of(str.upper) is None
