"""Section `hpo`: ranges, choices, conditions and fixed values of every type and size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from benchmarks.promises import insist, insist_bounded
from twotower.common.errors import ConfigError
from twotower.config.params import Config, parse_config
from twotower.search.proposals.propose import Proposer
from twotower.search.trial import Trial

TITLE = "search spaces"
TRIALS = 3
DEFAULTS = Config().search_space.defaults
NAMES = sorted(DEFAULTS)
ODD: tuple[Any, ...] = (
    None, True, False, "", "x", "5", "1e-3", "nan", -1, 0, 0.1, 1e-320, 1e308, -1e308, 10**300,
    2**63, float("inf"), float("nan"), [], [1, 2], {}, {"a": 1}, "9" * 5_000, "é", [[1]], "id",
)  # fmt: skip
LISTS = {
    "init": ["random", "ridge", "spectral", "popularity"],
    "user_tower": ["id", "history", "sequence"],
    "similarity": ["dot", "cosine"],
    "loss": ["in_batch_softmax", "bpr"],
}


def cases() -> SearchStrategy[dict[str, Any]]:
    """Sections of a few entries, most of which are valid."""
    return _sections()


def _value(name: str) -> SearchStrategy[Any]:
    """Something like the default of a hyperparameter."""
    default = DEFAULTS[name]
    if name in LISTS:
        return st.sampled_from(LISTS[name])
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, int):
        return st.integers(1, 64)
    return st.integers(1, 9).map(lambda digit: digit / 10)


@st.composite
def _entry(draw: st.DrawFn, name: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    value = _value(name)
    one, other = draw(value), draw(value)
    is_number = isinstance(one, int | float) and not isinstance(one, bool)
    if is_number and draw(st.booleans()):
        low, high = sorted((one, other))
        entry = {"type": "int" if isinstance(low, int) else "float", "low": low, "high": high}
        entry |= draw(st.sampled_from(({}, {}, {"log": True}, {"step": 1}, {"step": 0.1})))
    else:
        choices = draw(st.lists(value, min_size=1, max_size=4, unique=True))
        entry = {"type": "categorical", "choices": choices}
    if entries and draw(st.integers(0, 2)) == 2:
        parent = draw(st.sampled_from(sorted(entries)))
        entry["only_if"] = {parent: entries[parent].get("choices", entries[parent].get("low"))}
    if draw(st.integers(0, 5)) == 5:
        entry[draw(st.sampled_from((*entry, "only_if", "sets", "step")))] = draw(
            st.sampled_from(ODD)
        )
    return entry


@st.composite
def _sections(draw: st.DrawFn) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(NAMES))
        known = {key: one for key, one in entries.items() if isinstance(one, dict)}
        entry = draw(_entry(name, known))
        if draw(st.integers(0, 5)) == 5:
            name, entry = f"own_{name}", entry | {"sets": name}
        entries[name] = entry
    section: dict[str, Any] = {
        "search_space": entries,
        "include_defaults": draw(st.integers(0, 3)) == 3,
    }
    if draw(st.integers(0, 3)) == 3:
        name = draw(st.sampled_from(NAMES))
        section["fixed"] = {name: draw(_value(name) | st.sampled_from(ODD))}
    section["sampler"] = draw(st.sampled_from(("tpe", "random", "cmaes", "random")))
    return section


def check(case: dict[str, Any], _folder: Path) -> str:
    """A space is refused in few words, or proposes trials that lie in it as it is written."""
    try:
        config = parse_config({"hpo": case})
    except ConfigError as error:
        insist_bounded(error)
        return "refused"
    proposer = Proposer(config.search_space, config.hpo, config.seed)
    trials: dict[int, Trial] = {}
    for number in range(TRIALS):
        trial = proposer.propose(number, trials)
        if trial is None:
            return "all tried"
        trials[number] = trial
        space = case["search_space"]
        for name, value in trial.params.items():
            insist(_lies_in(space[name], value), f"{name}: {value!r} is not in {space[name]}")
        try:
            config.search_space.sections(config.search_space.complete(trial.params))
        except ConfigError as error:  # values that no model can have together: the trial fails
            insist_bounded(error)
    return "proposed"


def _lies_in(entry: Mapping[str, Any], value: Any) -> bool:
    """Whether a range or a list has a value, whatever its numbers are written like."""
    if entry["type"] == "categorical":
        return any(value == one or str(value) == str(one) for one in entry["choices"])
    low, high = float(entry["low"]), float(entry["high"])
    step = entry.get("step") or (1 if entry["type"] == "int" else None)
    steps: float = (value - low) / float(step) if step else 0.0
    return bool(low <= value <= high and abs(steps - round(steps)) < 1e-6)
