"""A small study whose bytes may change only together with a version: golden_study.json.

`python -m tests.search.golden`, after raising the version in twotower/search/identity.py, writes
the file anew. New cases go to the end of TRIED, and need no other version.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import events, split_by_time, write_prepared
from tests.search.studies import BRANCHES, PLAIN, SAMPLERS, config, params_of, run
from twotower.common.files import canonical, write_json
from twotower.config import parse_config
from twotower.search.identity import OBJECTIVE_VERSION, SEARCH_VERSION, provenance
from twotower.search.objective import Objective
from twotower.search.trial import Trial

PATH = Path(__file__).parent / "golden_study.json"
TRIED: tuple[dict[str, Any], ...] = (
    {},
    {"similarity": "dot"},
    {"loss": "mse", "lr": 0.05},
    {"hidden": [8], "logq": False},
    {"dim": 16, "batch_size": 32},
    {"features": False, "temperature": 0.5},
    {"init": "spectral", "similarity": "dot", "epochs": 0, "user_exponent": 0.3},
    {"init": "spectral", "user_tower": "both", "schedule": "linear"},
    {"user_tower": "history", "dropout": 0.2, "schedule": "cosine", "uniform_negatives": 16},
    {"loss": "bilateral_softmax", "weight_decay": 0.01, "history_half_life": 10.0},
    {"loss": "full_softmax", "item_tower": "id"},
    {"loss": "bpr", "similarity": "dot"},
    {"init": "ridge", "user_tower": "history", "ridge_penalty": 0.3, "history_decay": 0.2},
    {"user_tower": "sequence", "similarity": "dot", "dropout": 0.2, "sequence_length": 4},
    {
        "loss": "sampled_softmax",
        "uniform_negatives": 8,
        "frequency_negatives": 8,
        "ema_decay": 0.5,
    },
)


def proposals(name: str) -> dict[str, Any]:
    """What a sampler proposes, without and with conditions, and to the end of a finite space."""
    sampler = {"type": name} | ({"n_startup_trials": 5} if name in ("tpe", "gp") else {})
    return {
        f"{name}, branches": params_of(run(10, config(sampler, search_space=BRANCHES))),
        name: params_of(run(14, config(sampler))),
        f"{name}, conditional": params_of(run(14, config(sampler, conditional=True))),
    }


def outcomes(prepared: Path) -> list[dict[str, Any]]:
    """Metrics and losses of a few models on the data of the tests."""
    sections = {
        "model": {"dim": 8},
        "train": {"epochs": 2, "batch_size": 64},
        "hpo": {"include_defaults": False, "search_space": PLAIN},
    }
    objective = Objective(prepared, parse_config(sections))
    trials = [objective(Trial(0, "RUNNING", params)) for params in TRIED]
    return [{"losses": trial.losses, "metrics": trial.metrics} for trial in trials]


def made_with() -> dict[str, Any]:
    """Where bytes may be expected to be the same."""
    values = provenance("cmaes").values | provenance("gp").values
    return {name: value for name, value in values.items() if name != "code"}


def golden(prepared: Path) -> dict[str, Any]:
    """Content of the file, as this machine makes it."""
    values: dict[str, Any] = canonical(
        {
            "made_with": made_with(),
            "objective_version": OBJECTIVE_VERSION,
            "outcomes": outcomes(prepared),
            "proposals": {
                key: tried for name in SAMPLERS for key, tried in proposals(name).items()
            },
            "search_version": SEARCH_VERSION,
        }
    )
    return values


def agree(
    ours: dict[str, Any], theirs: dict[str, Any], *, loss: float = 1e-4, metric: float = 1e-6
) -> bool:
    """Whether two outcomes are of one model: processors of one capability differ in last digits.

    Args:
        ours: an outcome.
        theirs: another.
        loss: relative difference that is allowed.
        metric: absolute difference that is.
    """
    losses_agree = ours["losses"] == pytest.approx(theirs["losses"], rel=loss)
    return bool(losses_agree and ours["metrics"] == pytest.approx(theirs["metrics"], abs=metric))


def main() -> None:
    """Write the file, unless bytes have changed under the versions that it names."""
    with tempfile.TemporaryDirectory() as folder:
        found = golden(write_prepared(Path(folder), split_by_time(events(seed=0))))
    known = json.loads(PATH.read_text()) if PATH.exists() else None
    if known is not None and known["made_with"] == found["made_with"]:
        for place, outcome in enumerate(known["outcomes"]):
            if agree(found["outcomes"][place], outcome):
                found["outcomes"][place] = outcome
        same_cases = {
            "outcomes": found["outcomes"][: len(known["outcomes"])],
            "proposals": found["proposals"],
        }
        for what, constant in (("outcomes", "objective_version"), ("proposals", "search_version")):
            if known[what] != same_cases[what] and known[constant] == found[constant]:
                msg = (
                    f"{what} have changed: raise {constant.upper()} in twotower/search/identity.py"
                )
                raise SystemExit(msg)
    write_json(PATH, found)


if __name__ == "__main__":
    main()
