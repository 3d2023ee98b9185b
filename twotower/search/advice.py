"""What to try after a search: ranges whose end won, and presets that search elsewhere."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Literal

from twotower.common.errors import ConfigError
from twotower.common.files import round_float
from twotower.config import Config, SearchSpace
from twotower.config.effects import DataFacts
from twotower.config.numbers import without_exponent
from twotower.config.ranges import CategoricalSpace, FloatSpace, IntSpace, ParameterSpace
from twotower.config.training_choices import STARTS
from twotower.search.trial import Trial

End = Literal["low", "high"]

MAX_ENDS = 3
"""Ranges that are named."""
CLOSE = 0.05
"""Share of a range without steps that counts as its end."""
ONLY_MORE = {"dim", "epochs"}
"""Hyperparameters of which less costs less, and is no reason to search again."""
WIDE = 2048
"""Dimensions of closed-form models from which a space is as wide as the preset `quality`."""


def advise(config: Config, winner: Trial | None, data: DataFacts) -> list[str]:
    """A line for each of the first ranges whose end won, and one for presets.

    Args:
        config: with the space that was searched.
        winner: the trial that was chosen; None: there is nothing to say.
        data: what decides which hyperparameters do anything.
    """
    if winner is None:
        return []
    ends = islice(_Ends(config, winner, data).lines(), MAX_ENDS)
    return [*ends, *_presets(config.search_space, data)]


@dataclass(frozen=True)
class _Ends:
    """The ranges of a search whose end won."""

    config: Config
    winner: Trial
    data: DataFacts

    def lines(self) -> Iterator[str]:
        """One for each."""
        space = self.config.search_space
        for name, value in self.winner.params.items():
            end = _end_of(space.searched[name], value)
            if end is None or (end == "low" and space.target(name) in ONLY_MORE):
                continue
            for wider, beyond in _wider(space.searched[name], end):
                if self._helps(name, wider, beyond):
                    yield self._line(name, end, wider)
                    break

    def _helps(self, name: str, wider: ParameterSpace, beyond: Any) -> bool:
        """Whether the wider range is valid, and its end another model than the winner."""
        config, params = self.config, self.winner.params
        try:
            # Validated anew, as the widened copy has not been.
            checked = type(wider).model_validate(wider.model_dump())
            entries = {**config.hpo.search_space, name: checked}
            hpo = config.hpo.model_copy(update={"search_space": entries})
            space = SearchSpace.of(config.model, config.train, hpo)
            space.sections(space.complete({**params, name: beyond}))
        except (ValueError, ConfigError):
            return False
        further = space.effective({**params, name: beyond}, self.data)
        return further != space.effective(params, self.data)

    def _line(self, name: str, end: End, wider: ParameterSpace) -> str:
        if isinstance(wider, CategoricalSpace):
            key, new = "choices", "[" + ",".join(map(without_exponent, wider.choices)) + "]"
        else:
            key, new = end, without_exponent(getattr(wider, end))
        key = f"hpo.search_space.{name}.{key}"
        # dvc sets only keys that the file has.
        written = "search_space" in self.config.hpo.model_fields_set
        to_do = f"dvc exp run -S '{key}={new}'" if written else f"set {key} to {new} in params.yaml"
        value = without_exponent(self.winner.params[name])
        return f"{name} {value} is at the {end} end of what was searched: {to_do}"


def _end_of(space: ParameterSpace, value: Any) -> End | None:
    """The end of the range at which a value is."""
    if isinstance(space, CategoricalSpace):
        numbers = _numbers(space)
        ends = (numbers[0], numbers[-1]) if len(numbers) > 1 else ()
        place = (0.0, 1.0)[ends.index(value)] if value in ends else 0.5
        margin = 0.0
    else:
        scale = math.log if space.log else float
        low, high = scale(space.low), scale(space.high)
        place = (scale(value) - low) / (high - low)
        margin = 0.0 if space.step and not space.log else CLOSE
    return "low" if place <= margin else "high" if place >= 1 - margin else None


def _numbers(space: CategoricalSpace) -> list[Any]:
    """The choices, ascending; none if they are no numbers."""
    choices = space.choices
    if any(isinstance(choice, bool | str) for choice in choices):
        return []
    return sorted(choice for choice in choices if not isinstance(choice, bool | str))


def _wider(space: ParameterSpace, end: End) -> Iterator[tuple[ParameterSpace, Any]]:
    """Wider ranges, the widest first, and the new end of each; some may break a rule."""
    if isinstance(space, CategoricalSpace):
        value = _next_choice(_numbers(space)[:: 1 if end == "high" else -1])
        added = (*space.choices, value) if end == "high" else (value, *space.choices)
        yield space.model_copy(update={"choices": added}), value
        return
    for value in _further(space, end):
        new = round(value) if isinstance(space, IntSpace) else round_float(value)
        yield space.model_copy(update={end: new}), new


def _next_choice(values: Sequence[Any]) -> Any:
    """One more value: after equal differences another one, otherwise the last ratio again.

    Two values are a pair of either kind: of ratios if they are integers.
    """
    whole = all(isinstance(value, int) for value in values)
    before, last = values[-2:]
    steps = [b - a for a, b in pairwise(values[-3:])]
    equal = math.isclose(steps[0], steps[-1]) if len(steps) > 1 else not whole
    by_difference = equal or min(values) <= 0
    value = last + (last - before) if by_difference else last * last / before
    return round(value) if whole else round_float(value)


def _further(space: IntSpace | FloatSpace, end: End) -> list[float]:
    """Values beyond an end, the farthest first."""
    low, high = space.low, space.high
    if space.log:
        factor = 10 if high >= 100 * low else 4
        return [high * factor if end == "high" else low / factor]
    length, step = high - low, space.step or high - low
    if end == "low":
        return [round(low - by, 12) for by in (length, length / 2, step)]  # 0.1 - 0.1 is 0
    doubled = [2 * high] if isinstance(space, IntSpace) else []
    return [*doubled, high + length, high + length / 2, high + step]


def _presets(space: SearchSpace, data: DataFacts) -> list[str]:
    """Presets that search what this space does not."""
    has_sequences = "sequence" in space.reach("user_tower")
    decomposes = any(STARTS[init].decomposes for init in space.reach("init"))
    is_wide = decomposes and max(space.start_widths) >= WIDE
    presets = []
    if not is_wide:
        presets.append("a wider space, for more time: twotower preset quality")
    if data.has_order and not has_sequences:
        presets.append("users as sequences: twotower preset sequence")
    return ["; ".join(presets)] if presets else []
