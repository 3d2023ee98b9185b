"""The first trials of a study: the best of an earlier one, in a file under version control.

A stage cannot depend on its own output, so the trials of the last run are copied into
`data/warm_start.json`, which the search reads. The ones that are in the search space are part of
the identity of the study: other trials in the file make another study.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from twotower.common.errors import SearchError
from twotower.common.files import canonical, read_json, write_json
from twotower.config import Config
from twotower.config.effects import ANY_DATA, DataFacts
from twotower.config.hpo import ChooseConfig
from twotower.config.hyperparameters import hyperparameters
from twotower.config.search_space import SearchSpace
from twotower.config.training import ModelConfig, TrainConfig
from twotower.search.front import Goals
from twotower.search.proposals.repeats import Repeats
from twotower.search.store.snapshot import read_snapshot
from twotower.search.trial import Params

WARM_START = Path("data/warm_start.json")
EMPTY: dict[str, Any] = {"trials": []}


@dataclass(frozen=True)
class WarmStart:
    """Trials that a study starts with.

    Attributes:
        trials: searched hyperparameters of each, in the order in which they are tried.
        skipped: a line for each stored trial that is skipped, with the reason.
    """

    trials: list[Params]
    skipped: list[str]


def read_warm_start(path: Path, config: Config, data: DataFacts = ANY_DATA) -> WarmStart:
    """The stored trials that are in the search space of `config`.

    Hyperparameters that the file does not name have the values of sections `model` and `train`;
    those that are not searched are ignored. A trial outside the space, the same as an earlier one,
    or the same as the defaults where those are tried anyway, is skipped.

    Args:
        path: written by `write_warm_start`, or by hand; without a file there are none.
        config: space, fixed values and defaults count.
        data: decides which trials are the same.

    Raises:
        SearchError: if the file has another format.
    """
    space = config.search_space
    repeats = Repeats(space, data)
    tried = {repeats.key(space.default_params)} if space.include_defaults else set()
    warm_start = WarmStart([], [])
    for number, stored in enumerate(_read(path)):
        values = {**space.defaults, **stored}
        params: Params = canonical(space.present(values))
        outside = space.outside(values)
        reason = outside and "{} {!r} lies outside the search space".format(*outside)
        if reason is None and repeats.key(params) in tried:
            reason = "already in the study"
        if reason is None:
            warm_start.trials.append(params)
            tried.add(repeats.key(params))
        else:
            warm_start.skipped.append(f"{path}: trials[{number}] is skipped: {reason}")
    return warm_start


def _read(path: Path) -> list[dict[str, Any]]:
    """Hyperparameters of each stored trial."""
    try:
        content = read_json(path)
        trials = TypeAdapter(list[dict[str, Any]]).validate_python(content["trials"])
        return [TypeAdapter(dict[str, Any]).validate_python(trial["params"]) for trial in trials]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        msg = (
            f'{path}: not a warm start; it is {{"trials": [{{"params": {{…}}}}, …]}}, and '
            "twotower retrain reset empties it"
        )
        raise SearchError(msg) from None


def write_warm_start(path: Path, snapshot: Path, top: int) -> int:
    """Store the best complete trials of a study, for the next one.

    All their hyperparameters are stored, also those that were not searched: the next space may
    have them.

    Args:
        path: of the file.
        snapshot: of the study, `hpo_study.db`.
        top: number of trials.

    Returns:
        Number of trials that were stored.

    Raises:
        SearchError: if there is no study.
    """
    attributes, trials = read_snapshot(snapshot)
    if not trials:
        msg = f"{snapshot}: no study to start from; run dvc repro or dvc pull first"
        raise SearchError(msg)
    identity = attributes["identity_values"]
    space = _space_of(identity)
    stored: list[dict[str, Any]] = []
    for trial in _goals_of(identity).ordered(trials):
        params = space.defaults | space.chosen(trial.params)
        if params not in [other["params"] for other in stored]:
            stored.append({"number": trial.number, "params": params, "value": trial.value})
    content = {"objective": identity["objective"], "study": attributes["identity"]}
    write_json(path, {**content, "trials": stored[:top]})
    return len(stored[:top])


def _goals_of(identity: Mapping[str, Any]) -> Goals:
    """What a study was after; of several objectives the ends of the front come first."""
    several = dict(identity.get("objectives", []))
    return Goals(several or {identity["objective"]: "maximize"}, ChooseConfig(keep=None))


def _space_of(identity: Mapping[str, Any]) -> SearchSpace:
    """As much of a study's space as says what its trials trained with."""
    model = ModelConfig.model_validate(identity["model"])
    train = TrainConfig.model_validate(identity["train"])
    return SearchSpace(
        model,
        train,
        declared={},
        fixed=identity["fixed"],
        defaults=hyperparameters(model, train),
        include_defaults=identity["include_defaults"],
        settled=identity.get("settled", {}),
        sets=identity.get("sets", {}),
        conditions=identity["conditions"],
    )
