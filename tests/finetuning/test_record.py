import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.common.errors import ConfigError
from twotower.config import load_config, parse_config
from twotower.config.hyperparameters import hyperparameters
from twotower.config.training import ModelConfig, TrainConfig
from twotower.finetuning.record import START, StartRecord, read_record, without_search

MODEL, TRAIN = ModelConfig(dim=24, user_tower="history"), TrainConfig(epochs=7, last_epoch=4)
RECORD = StartRecord("a" * 64, "b" * 64, 3, 2, hyperparameters(MODEL, TRAIN))


def test_as_delivered_there_is_no_start_model(tmp_path: Path) -> None:
    assert read_record(REPOSITORY / START) is None
    assert [path.name for path in (REPOSITORY / START).iterdir()] == ["start.json"]
    assert read_record(tmp_path) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    found = read_record(tmp_path)
    assert found is not None
    assert replace(found, params={}) == replace(RECORD, params={})
    assert found.finetuned == {
        **RECORD.params,
        "hidden": [],
        "epochs": 2,
        "last_epoch": None,
        "schedule": "linear",
    }


@pytest.mark.parametrize("content", ["{", "3", '{"model": 3}', '{"epochs": 2}'])
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "start.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"start.json: not what twotower finetune writes; .*--re"):
        read_record(tmp_path)


def test_the_search_has_one_trial_of_the_hyperparameters_of_the_start_model() -> None:
    config = load_config(REPOSITORY / "params.yaml")
    record = replace(RECORD, params=json.loads(json.dumps(RECORD.params)))
    found = without_search(config, record)
    assert found.hpo.n_trials == 1
    assert found.search_space.searched == {}
    assert found.search_space.starts_with_defaults
    model, train = found.search_space.sections({})
    assert (model, train.epochs, train.last_epoch) == (MODEL, 7, 4)
    assert found.data == config.data
    assert found.evaluate == config.evaluate


def test_limits_do_not_stop_it_where_there_is_nothing_to_choose_from() -> None:
    chosen = {"limits": {"coverage_at_10": 0.9}, "weights": {"coverage_at_10": 2}}
    hpo = {"objectives": ["recall_at_10", "coverage_at_10"], "choose": chosen, "sampler": "nsga2"}
    found = without_search(parse_config({"hpo": hpo}), RECORD)
    assert (found.hpo.choose.limits, found.hpo.choose.weights) == ({}, {})
    assert [*found.hpo.directions] == ["recall_at_10", "coverage_at_10"]
