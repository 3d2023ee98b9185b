"""What the summary of a search says to try next."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from tests.conftest import REPOSITORY
from tests.search.studies import BRANCHES
from twotower.config import Config, load_config, parse_config
from twotower.config.effects import ANY_DATA
from twotower.search.advice import MAX_ENDS, advise
from twotower.search.trial import Trial

TIMELESS = replace(ANY_DATA, has_order=False)
LR = {"type": "float", "low": 1e-4, "high": 0.1, "log": True}
STEPS = {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1}
DIM = {"type": "int", "low": 8, "high": 64, "step": 8}


def config(space: dict[str, Any], **sections: Any) -> Config:
    hpo = {"search_space": space, "include_defaults": False}
    return parse_config({"hpo": hpo, **sections})


def ends(
    space: dict[str, Any], data: Any = ANY_DATA, /, *, sections: Any = None, **params: Any
) -> Any:
    """What is to be set, by the key below hpo.search_space."""
    said = advise(config(space, **(sections or {})), Trial(0, "COMPLETE", params, value=0.1), data)
    found = [re.search(r"-S 'hpo\.search_space\.(\S+)=(\S+)'$", line) for line in said]
    return {match[1]: match[2] for match in found if match}


def choices(*values: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(values)}


@pytest.mark.parametrize(
    ("name", "space", "value", "wanted"),
    [
        ("dim", DIM, 64, {"dim.high": "128"}),
        ("dim", DIM, 56, {}),
        ("dim", DIM, 8, {}),  # less costs less
        ("dim", DIM | {"step": 7}, 64, {"dim.high": "120"}),
        ("epochs", {"type": "int", "low": 3, "high": 15}, 15, {"epochs.high": "30"}),
        ("lr", LR, 0.0891, {"lr.high": "1"}),
        ("lr", LR, 0.00011, {"lr.low": "0.00001"}),
        ("lr", LR, 0.05, {}),
        ("lr", LR | {"low": 0.01}, 0.1, {"lr.high": "0.4"}),
        ("lr", {"type": "float", "low": 0.1, "high": 0.3}, 0.3, {"lr.high": "0.5"}),
        ("dropout", STEPS | {"high": 0.8}, 0.8, {"dropout.high": "0.9"}),
        ("dropout", STEPS | {"low": 0.0}, 0.0, {}),
        ("weight_decay", STEPS, 0.1, {"weight_decay.low": "0"}),
        ("batch_size", choices(512, 128, 256), 512, {"batch_size.choices": "[512,128,256,1024]"}),
        ("batch_size", choices(128, 256, 512), 128, {"batch_size.choices": "[64,128,256,512]"}),
        ("batch_size", choices(100, 200, 300), 300, {"batch_size.choices": "[100,200,300,400]"}),
        ("batch_size", choices(128, 256), 256, {"batch_size.choices": "[128,256,512]"}),
        ("uniform_negatives", choices(0, 64), 64, {"uniform_negatives.choices": "[0,64,128]"}),
        ("temperature", choices(0.1, 0.2), 0.2, {"temperature.choices": "[0.1,0.2,0.3]"}),
        ("temperature", choices(0.01, 0.1, 1), 0.01, {"temperature.choices": "[0.001,0.01,0.1,1]"}),
        ("loss", choices("mse", "softmax"), "softmax", {}),
        ("logq", choices(False, True), True, {}),
    ],
)  # fmt: skip
def test_an_end_that_won_is_named_with_a_wider_range(
    name: str, space: dict[str, Any], value: Any, wanted: dict[str, str]
) -> None:
    found = ends({name: space}, **{name: value})
    assert {key: float(new) if "choices" not in key else new for key, new in found.items()} == {
        key: float(new) if "choices" not in key else new for key, new in wanted.items()
    }


@pytest.mark.parametrize(
    ("name", "space", "value", "wanted"),
    [
        ("dim", DIM, 64, {"high": 128}),
        ("lr", LR, 0.00011, {"low": 0.00001}),
        ("batch_size", choices(512, 128, 256), 512, {"choices": (512, 128, 256, 1024)}),
        ("temperature", choices(0.001, 0.01, 0.1), 0.001, {"choices": (1e-4, 0.001, 0.01, 0.1)}),
    ],
)
def test_the_command_widens_the_range_and_keeps_the_rest(
    tmp_path: Path, name: str, space: dict[str, Any], value: Any, wanted: dict[str, Any]
) -> None:
    searched = {name: space, "dropout": STEPS}
    written = config(searched)
    said = advise(written, Trial(0, "COMPLETE", {name: value}, value=0.1), ANY_DATA)
    command = shlex.split(said[0].partition(": ")[2])
    assert command[:4] == ["dvc", "exp", "run", "-S"]
    path = tmp_path / "params.yaml"
    hpo = {"search_space": searched, "include_defaults": False}
    path.write_text(yaml.safe_dump({"hpo": hpo}))
    apply_overrides(path, command[4:])
    before = written.hpo.search_space
    after = load_config(path).hpo.search_space
    assert after == {**before, name: before[name].model_copy(update=wanted)}


def test_what_does_nothing_in_the_winner_or_beyond_its_end_is_not_named() -> None:
    space = BRANCHES | {"temperature": LR | {"low": 0.01}}
    winner = {"init": "ridge", "closed_form_dim": 64, "ridge_penalty": 0.5, "temperature": 0.1}
    assert ends(space, **winner) == {"closed_form_dim.choices": "[8,16,64,256]"}
    assert ends(space, replace(ANY_DATA, num_items=64), **winner) == {}
    dot = {"model": {"similarity": "dot"}}
    assert ends({"temperature": LR}, sections=dot, temperature=0.1) == {}


def test_exponents_are_few_because_each_pair_is_a_decomposition() -> None:
    space = {"user_exponent": choices(0.4, 0.5), "item_exponent": choices(0.3, 0.5)}
    spectral = {"model": {"init": "spectral"}}
    assert ends(space, sections=spectral, user_exponent=0.5, item_exponent=0.5) == {}


def test_at_most_a_few_are_named() -> None:
    space = dict.fromkeys(("dropout", "lr", "temperature", "weight_decay"), LR)
    said = advise(config(space), Trial(0, "COMPLETE", dict.fromkeys(space, 0.1)), TIMELESS)
    assert len([line for line in said if "dvc exp run" in line]) == MAX_ENDS


def test_no_winner_no_advice() -> None:
    assert advise(Config(), None, ANY_DATA) == []


def test_a_space_that_the_file_lacks_is_set_there() -> None:
    said = advise(Config(), Trial(0, "COMPLETE", {"dim": 64}), TIMELESS)
    assert said[0] == (
        "dim 64 is at the high end of what was searched: "
        "set hpo.search_space.dim.high to 128 in params.yaml"
    )


def test_presets_are_named_where_they_search_something_else() -> None:
    def presets(config: Config, data: Any) -> list[str]:
        said = " ".join(advise(config, Trial(0, "COMPLETE", {}), data))
        return re.findall(r"twotower preset (\w+)", said)

    assert presets(Config(), ANY_DATA) == ["quality", "sequence"]
    assert presets(Config(), TIMELESS) == ["quality"]
    preset = yaml.safe_load((REPOSITORY / "presets/quality.yaml").read_text(encoding="utf-8"))
    assert presets(parse_config(preset), TIMELESS) == []
    assert presets(load_config(REPOSITORY / "params.yaml"), TIMELESS) == ["quality"]
