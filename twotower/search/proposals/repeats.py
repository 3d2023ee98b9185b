"""Which trials are the same, and which combinations are left to try."""

import math
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from twotower.common.files import json_text, round_float
from twotower.config.effects import ANY_DATA, DataFacts
from twotower.config.ranges import CategoricalSpace, IntSpace, ParameterSpace
from twotower.config.search_space import SearchSpace

MAX_LISTED = 4096
"""Combinations that are listed; from a larger space they are drawn at random."""
MAX_DRAWN = 200
"""Draws without a new one, after which a space counts as exhausted."""


class Repeats:
    """Compares trials by what their hyperparameters do: those without an effect are ignored."""

    def __init__(self, space: SearchSpace, data: DataFacts = ANY_DATA) -> None:
        """Compare trials of a search.

        Args:
            space: that is searched.
            data: decides what has an effect.
        """
        self._space = space
        self._data = data
        self._keys: dict[str, str] = {}

    def key(self, params: Mapping[str, Any]) -> str:
        """The same for two trials if and only if they train the same model.

        Args:
            params: of a trial.
        """
        written = json_text(params, indent=None)
        if written not in self._keys:
            self._keys[written] = json_text(self._space.effective(params, self._data), indent=None)
        return self._keys[written]

    def untried(self, tried: Collection[str], seed: int) -> dict[str, Any] | None:
        """Parameters of a trial that is none of the tried ones; None if there is no other.

        A small space is listed in an order that the seed gives. A range without steps stands in
        that list with one value, drawn at random: where it has an effect, that is a new one.

        Args:
            tried: keys of trials.
            seed: of the order.
        """
        random = np.random.default_rng(seed)
        axes = {name: _listed(space, random) for name, space in self._space.searched.items()}
        listed = list(islice(self._combinations(axes), MAX_LISTED + 1))
        if len(listed) <= MAX_LISTED:
            candidates = (listed[place] for place in random.permutation(len(listed)))
        else:
            candidates = (self._drawn(random) for _ in range(MAX_DRAWN))
        return next((params for params in candidates if self.key(params) not in tried), None)

    def _combinations(self, axes: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
        """All parameters that trials with these values can have."""
        names = list(self._space.searched)

        def extend(chosen: dict[str, Any], place: int) -> Iterator[dict[str, Any]]:
            if place == len(names):
                yield dict(sorted(chosen.items()))
            elif not self._space.is_set(names[place], chosen):
                yield from extend(chosen, place + 1)
            else:
                for value in axes[names[place]]:
                    yield from extend({**chosen, names[place]: value}, place + 1)

        return extend({}, 0)

    def _drawn(self, random: np.random.Generator) -> dict[str, Any]:
        axes = {name: [_draw(space, random)] for name, space in self._space.searched.items()}
        return next(self._combinations(axes))


def _listed(space: ParameterSpace, random: np.random.Generator) -> list[Any]:
    """All values, but at most MAX_LISTED + 1; one at random of a range without steps."""
    if isinstance(space, CategoricalSpace):
        return list(space.choices)
    if not space.step:
        return [_draw(space, random)]
    count = min(round((space.high - space.low) / space.step), MAX_LISTED) + 1
    return [_on_grid(space, place) for place in range(count)]


def _draw(space: ParameterSpace, random: np.random.Generator) -> Any:
    if isinstance(space, CategoricalSpace):
        return space.choices[random.integers(len(space.choices))]
    if space.step:
        return _on_grid(
            space, int(random.integers(round((space.high - space.low) / space.step) + 1))
        )
    share = random.random()
    value = space.low + share * (space.high - space.low)
    if space.log:
        value = math.exp(math.log(space.low) + share * math.log(space.high / space.low))
    return min(max(round_float(value), space.low), space.high)


def _on_grid(space: ParameterSpace, place: int) -> Any:
    if isinstance(space, CategoricalSpace) or not space.step:
        raise TypeError(space)
    value = space.low + place * space.step
    return value if isinstance(space, IntSpace) else round_float(value)
