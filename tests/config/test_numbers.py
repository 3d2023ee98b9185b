import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from tests.conftest import REPOSITORY
from twotower.common.yaml_file import parse_yaml
from twotower.config import Config, load_config, parse_config
from twotower.config.numbers import as_number, read_number, without_exponent


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100", 100),
        ("1e2", 100.0),
        ("1E5", 100_000.0),
        ("1.0e+2", 100.0),
        ("1e-06", 0.000001),
        (".5", 0.5),
        ("5.", 5.0),
        ("+5", 5),
        ("-1", -1),
        (" 7 ", 7),
        ("1_000", 1000),
        ("0x10", 16),
        ("0o10", 8),
        ("010", 10),
        ("inf", float("inf")),
        ("9" * 400, float("inf")),  # which no float can hold
        ("-" + "9" * 400, -float("inf")),
        ("0x" + "f" * 4_300, float("inf")),
        ("0,5", None),
        ("1 000", None),
        ("on", None),
        ("", None),
        ("٣", None),
    ],
)
def test_a_text_is_the_number_that_it_spells(text: str, number: float | None) -> None:
    assert read_number(text) == number
    assert type(read_number(text)) is type(number)
    assert as_number(text) == (text if number is None else number)


SPELLINGS = ["1e-06", "1e-6", "1E-6", "1.0e-06", "0.000001", "+1e-06", "'1e-06'", '"0.000001"']


def of_lr(choices: Any) -> Config:
    space = {
        "lr": {"type": "categorical", "choices": choices},
        "batch_size": {"type": "int", "low": 1, "high": 512, "only_if": {"lr": choices[0]}},
    }
    return parse_config({"train": {"lr": 0.01}, "hpo": {"search_space": space}})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_choice_is_the_same_in_every_spelling(spelling: str) -> None:
    found = of_lr(parse_yaml(f"[{spelling}, 1e-2]", "here"))
    assert repr(found) == repr(of_lr([0.000001, 0.01]))
    assert found.hpo.search_space["batch_size"].only_if == {"lr": (0.000001,)}


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps, repr])
def test_every_writer_of_numbers_is_understood(write: Any) -> None:
    values = [1e-06, 0.01, 1e-300]
    assert of_lr(parse_yaml(write(values), "here")) == of_lr(values)


@pytest.mark.parametrize("written", ["1e2", "100", "100.0", "1E2", "0x64", 100, 1e2])
def test_a_whole_number_is_the_same_in_every_spelling(written: Any) -> None:
    dim = {"type": "int", "low": 4, "high": written, "step": "1e0"}
    config = parse_config(
        {
            "seed": written,
            "data": {"event_weights": {"view": written}},
            "model": {"hidden": [written, 8]},
            "train": {"batch_size": written},
            "evaluate": {"ks": [10, written]},
            "hpo": {
                "n_trials": written,
                "fixed": {"init": "random", "sequence_length": written, "hidden": [written, 8]},
                "search_space": {"dim": dim},
                "sampler": {"type": "tpe", "n_startup_trials": written},
            },
        }
    )
    assert (config.seed, config.hpo.n_trials, config.train.batch_size) == (100, 100, 100)
    assert (config.model.hidden, config.evaluate.ks) == ((100, 8), (10, 100))
    assert config.data.event_weights == {"view": 100.0}
    assert config.hpo.search_space["dim"].high == 100
    assert config.hpo.sampler.model_dump() == {"type": "tpe", "n_startup_trials": 100}
    fixed = config.search_space.fixed
    assert fixed == {"init": "random", "sequence_length": 100, "hidden": [100, 8]}
    assert type(fixed["sequence_length"]) is int


@pytest.fixture
def set_params(tmp_path: Path) -> Any:
    """The committed params.yaml as `dvc exp run -S …` leaves it."""

    def change(*overrides: str) -> Config:
        path = tmp_path / "params.yaml"
        path.write_text((REPOSITORY / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        apply_overrides(path, list(overrides))
        return load_config(path)

    return change


def test_what_dvc_sets_is_what_was_meant(set_params: Any) -> None:
    lr = "{type: categorical, choices: [1e-06, 0.003]}"
    config = set_params(
        "hpo.n_trials=1e2",
        "seed=0x10",
        "evaluate.ks=[5,1e1]",
        "split.column=on",
        "+hpo.fixed.weight_decay=1e-06",
        "~hpo.search_space.batch_size",
        "~hpo.search_space.lr",
        f"+hpo.search_space.lr={lr}",
        "hpo.search_space.dim.high=128",
    )
    assert (config.hpo.n_trials, config.seed, config.evaluate.ks) == (100, 16, (5, 10))
    assert config.split.column == "on"
    assert config.search_space.fixed == {"weight_decay": 1e-06}
    assert "batch_size" not in config.hpo.search_space
    assert config.hpo.search_space["lr"].choices == (1e-06, 0.003)
    assert (config.hpo.search_space["dim"].low, config.hpo.search_space["dim"].high) == (8, 128)


def test_a_mapping_that_dvc_sets_is_merged_or_replaced_as_the_readme_says(set_params: Any) -> None:
    dim = "hpo.search_space={dim: {type: int, low: 8, high: 64}}"
    assert "lr" in set_params(dim).hpo.search_space
    assert list(set_params("~hpo.search_space", f"+{dim}").hpo.search_space) == ["dim"]


def test_values_are_written_without_an_exponent() -> None:
    written = [without_exponent(value) for value in (1e-05, 0.003, 64, "dot", 3e20)]
    assert written == ["0.00001", "0.003", "64", "dot", "300000000000000000000"]
