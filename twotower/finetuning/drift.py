"""How far the vectors of known items have moved, and what an index of the earlier ones is worth."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from twotower.common.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from twotower.data.interactions import ItemLists
from twotower.retrieval.exact import Candidates, top_k

K = 10
SAMPLE = 500
"""Users and items for which neighbours are looked up, at most."""
TOLERANCES = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Of the distance that a vector moved, as a share of its length."""


@dataclass(frozen=True)
class Stale:
    """An index in which vectors that moved by a tolerance at most are the earlier ones.

    Attributes:
        tolerance: as a share of a vector's length.
        written: vectors that are written: those that moved further, and all new ones.
        same_at_10: mean share of a user's ten best items that stay among the ten best.
    """

    tolerance: float
    written: int
    same_at_10: float


@dataclass(frozen=True)
class Drift:
    """What became of the items' vectors.

    Attributes:
        items: that both models have.
        added: items that only the later one has.
        removed: that only the earlier one has.
        cosine_median: of the cosines between an item's two vectors.
        cosine_low: their 5 % quantile.
        moved_median: of the distances between the two, each as a share of the earlier one's length.
        moved_high: their 95 % quantile.
        neighbours_at_10: mean share of an item's ten nearest items that stay its nearest.
        stale: an index that is renewed in part, for each of `TOLERANCES`.
    """

    items: int
    added: int
    removed: int
    cosine_median: float | None
    cosine_low: float | None
    moved_median: float | None
    moved_high: float | None
    neighbours_at_10: float | None
    stale: tuple[Stale, ...]

    def values(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Vectors:
    """What is compared.

    Attributes:
        users: [num_users, dim] float32 of the later model.
        items: [num_items, dim] of the later model.
        earlier: [num_items, dim] of the earlier one; any where `known` is false.
        known: [num_items] whether the earlier model has the item.
        removed: number of items that the earlier one has alone.
    """

    users: Float32Array
    items: Float32Array
    earlier: Float32Array
    known: BoolArray
    removed: int


def drift(vectors: Vectors, *, seed: int) -> Drift:
    """Compare the vectors of two models.

    Args:
        vectors: of both.
        seed: of the sample of users and items.
    """
    known, num_items = vectors.known, len(vectors.items)
    before, after = vectors.earlier[known], vectors.items[known]
    counts = int(known.sum()), int((~known).sum()), vectors.removed
    if not len(before):
        return Drift(*counts, None, None, None, None, None, ())
    lengths = np.linalg.norm(before, axis=1).clip(1e-12)
    moved = np.linalg.norm(after - before, axis=1) / lengths
    cosines = (after * before).sum(axis=1) / (lengths * np.linalg.norm(after, axis=1).clip(1e-12))
    drawn = np.random.default_rng(seed)
    users = _some(np.flatnonzero(vectors.users.any(axis=1)), drawn)
    items = _some(np.arange(len(before)), drawn)
    distance = np.full(num_items, np.inf)
    distance[known] = moved
    return Drift(
        *counts,
        cosine_median=float(np.median(cosines)),
        cosine_low=float(np.quantile(cosines, 0.05)),
        moved_median=float(np.median(moved)),
        moved_high=float(np.quantile(moved, 0.95)),
        neighbours_at_10=_same_neighbours(before, after, items),
        stale=tuple(_stale(vectors, distance, users, tolerance) for tolerance in TOLERANCES),
    )


def _stale(vectors: Vectors, distance: Float64Array, users: Int64Array, tolerance: float) -> Stale:
    kept = distance <= tolerance
    mixed = np.where(kept[:, np.newaxis], vectors.earlier, vectors.items)
    queries = vectors.users[users]
    same = _shared(_best(queries, vectors.items), _best(queries, mixed))
    return Stale(tolerance, int((~kept).sum()), same)


def _same_neighbours(before: Float32Array, after: Float32Array, items: Int64Array) -> float:
    """Mean share of ten nearest items, by cosine, that stay; each item is its own nearest."""
    found = []
    for vectors in (before, after):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
        best = _best(unit[items], unit, masked=ItemLists(np.arange(len(items) + 1), items))
        found.append(best)
    return _shared(*found)


def _best(
    queries: Float32Array, items: Float32Array, masked: ItemLists | None = None
) -> Int64Array:
    nothing = ItemLists.empty(len(queries)) if masked is None else masked
    return top_k(queries, Candidates(items), min(K, len(items)), nothing)[0]


def _shared(first: Int64Array, second: Int64Array) -> float:
    """Mean share of the items of each row of `first` that are in the same row of `second`."""
    if not first.size:
        return 1.0
    is_item = first >= 0
    both = (first[:, :, np.newaxis] == second[:, np.newaxis, :]).any(axis=2) & is_item
    return float(both.sum() / is_item.sum().clip(1))


def _some(candidates: Int64Array, drawn: np.random.Generator) -> Int64Array:
    """SAMPLE of them at most, ascending."""
    count = min(SAMPLE, len(candidates))
    return np.sort(drawn.choice(candidates, count, replace=False))
