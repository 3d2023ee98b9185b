"""Caps on how many recommended items share a value of a feature."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.choices import choice_rule
from twotower.common.errors import RequestError
from twotower.data.categories import Categorical, MultiValued
from twotower.data.features import Features
from twotower.data.interactions import ItemLists


@dataclass(frozen=True)
class Cap:
    """At most `limit` items of each value of a feature.

    Attributes:
        values: codes of each item; 0 is not a value, but a missing one.
        num_values: the codes are below this.
        limit: at least 1.
    """

    values: ItemLists
    num_values: int
    limit: int

    @classmethod
    def of(cls, name: str, limit: int, features: Features) -> Self:
        """The cap of a feature of the items.

        Raises:
            RequestError: if there is none of this name, or of a kind that has no values to count.
        """
        match feature := features.columns.get(name):
            case Categorical(codes=codes, categories=categories):
                return cls(ItemLists(np.arange(len(codes) + 1), codes), len(categories) + 1, limit)
            case MultiValued(codes=codes, offsets=offsets, categories=categories):
                return cls(ItemLists(offsets, codes), len(categories) + 1, limit)
        kind = f"{name} is {feature.name}; " if feature else ""
        possible = [key for key, column in features.columns.items()
                    if isinstance(column, Categorical | MultiValued)]  # fmt: skip
        if not possible:
            msg = f"max_per: {kind}the items have no categorical or multi-valued feature to cap"
            raise RequestError(msg)
        msg = f"max_per: {kind}{choice_rule(name, possible)}"
        raise RequestError(msg)

    @property
    def codes(self) -> Int64Array:
        """[total] codes of all items, item by item."""
        return self.values.items

    @cached_property
    def owners(self) -> Int64Array:
        """[total] the item of each of the codes."""
        return self.values.rows(0, len(self.values.counts))[0]

    def is_full(self, counts: Int64Array, codes: Int64Array) -> BoolArray:
        """Whether no further item of these codes, chosen so often, may be recommended."""
        full: BoolArray = (counts >= self.limit) & (codes > 0)
        return full


class Counter:
    """Counts the values of the items that are chosen from pools, for one cap."""

    def __init__(self, cap: Cap, counts: Int64Array, rows: Int64Array, pool: Int64Array) -> None:
        """Look up the values of the pools.

        Args:
            cap: its limit and values.
            counts: [num_rows, num_values] how often each was chosen; is changed.
            rows: [len(pool)] those of `counts` that the pools belong to.
            pool: [len(rows), size] items; -1 past the end.
        """
        self._cap, self._counts, self._rows, self._size = cap, counts, rows, pool.shape[1]
        self._values = cap.values.select(pool.ravel())
        self._places, self._codes = self._values.rows(0, pool.size)
        self._row_of_place = rows[self._places // self._size]

    def add(self, places: tuple[Int64Array, Int64Array], free: BoolArray) -> None:
        """Count one item of some pools; no item with a value that is full by now stays free.

        Args:
            places: pool and position of each item.
            free: [num_pools, size] whether each item may still be chosen; is changed.
        """
        chosen = self._values.select(places[0] * self._size + places[1])
        rows = self._rows[np.repeat(places[0], chosen.counts)]
        self._counts[rows, chosen.items] += 1  # an item has each value once
        counts = self._counts[self._row_of_place, self._codes]
        full = self._cap.is_full(counts, self._codes)
        free.reshape(-1)[self._places[full]] = False
