"""Studies without training: proposals of each sampler for values that a formula gives."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from twotower.common.files import canonical
from twotower.config import Config, parse_config
from twotower.search.proposals.propose import Proposer
from twotower.search.trial import Params, Trial

DEFAULT_LR = 0.005
"""Of trial 0, not the project's: another default is not another way to propose."""
SAMPLERS = ("tpe", "random", "gp", "cmaes")
EACH_SAMPLER = [
    pytest.param(name, marks=pytest.mark.slow if name == "gp" else ()) for name in SAMPLERS
]
"""For tests of many proposals: those of a Gaussian process take seconds."""
PLAIN: dict[str, Any] = {
    "dim": {"type": "int", "low": 8, "high": 64, "step": 8},
    "epochs": {"type": "int", "low": 3, "high": 15},
    "batch_size": {"type": "categorical", "choices": [128, 256, 512]},
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
}
CONDITIONAL: dict[str, Any] = {
    "dim": PLAIN["dim"],
    "epochs": PLAIN["epochs"],
    "loss": {"type": "categorical", "choices": ["softmax", "mse"]},
    "logq": {"type": "categorical", "choices": [True, False], "only_if": {"loss": "softmax"}},
    "lr": PLAIN["lr"],
    "temperature": {
        "type": "float", "low": 0.05, "high": 1, "log": True,
        "only_if": {"loss": "softmax", "similarity": "cosine"},
    },
}  # fmt: skip

BRANCHES: dict[str, Any] = {
    "init": {"type": "categorical", "choices": ["random", "ridge"]},
    "dim": {"type": "int", "low": 16, "high": 32, "step": 16, "only_if": {"init": "random"}},
    "epochs": {"type": "int", "low": 4, "high": 5, "only_if": {"init": "random"}},
    "closed_form_dim": {
        "sets": "dim", "type": "categorical", "choices": [8, 16, 64], "only_if": {"init": "ridge"}
    },
    "closed_form_epochs": {
        "sets": "epochs", "type": "categorical", "choices": [0], "only_if": {"init": "ridge"}
    },
    "ridge_penalty": {
        "type": "categorical", "choices": [0.1, 1], "only_if": {"closed_form_epochs": 0}
    },
}  # fmt: skip
"""Ten combinations."""


def config(sampler: Any = "tpe", *, conditional: bool = False, **hpo: Any) -> Config:
    """Settings of a study; the space has four parameters, or also some with conditions."""
    space = {"search_space": CONDITIONAL if conditional else PLAIN}
    return parse_config({"train": {"lr": DEFAULT_LR}, "hpo": {"sampler": sampler, **space, **hpo}})


def value_of(params: Params) -> float:
    """A smooth function of the parameters that are there."""
    value = params.get("dim", 32) / 64 - 20 * abs(params.get("lr", 0.01) - 0.01)
    value += params.get("epochs", 5) / 100 - abs(params.get("temperature", 0.6) - 0.2)
    return float(canonical(value + 0.1 * params.get("logq", False)))


def finished(number: int, params: Params, attrs: Any, *, failed: bool = False) -> Trial:
    return Trial(
        number=number,
        state="FAIL" if failed else "COMPLETE",
        params=params,
        provenance="p",
        value=None if failed else value_of(params),
        system_attrs=dict(attrs),
    )


def run(count: int, settings: Config, seed: int = 42) -> dict[int, Trial]:
    """Trials 0..count - 1, some of them failed."""
    trials: dict[int, Trial] = {}
    return extend(trials, count, settings, seed)


def extend(
    trials: dict[int, Trial], count: int, settings: Config, seed: int = 42
) -> dict[int, Trial]:
    """More trials, up to `count` of them."""
    for number in range(len(trials), count):
        trial = proposed(number, trials, settings, seed)
        failed = number % 7 == 3
        trials[number] = finished(number, trial.params, trial.system_attrs, failed=failed)
    return trials


def proposed(
    number: int, earlier: Mapping[int, Trial], settings: Config, seed: int = 42, **options: Any
) -> Trial:
    proposer = Proposer(settings.search_space, settings.hpo, seed, **options)
    trial = proposer.propose(number, earlier)
    assert trial is not None
    return trial


def params_of(trials: dict[int, Trial]) -> list[Params]:
    return [trial.params for trial in trials.values()]


def printed_elsewhere(code: str) -> Any:
    """The JSON that code prints in a process with another hash seed and more threads."""
    out = subprocess.run(
        [sys.executable, "-c", f"import json, torch; torch.set_num_threads(2)\n{code}"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(out.stdout)
