"""Whether the arrays of a model folder fit each other, and what they hold can be."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts.meta import META
from twotower.common.arrays import Int64Array

if TYPE_CHECKING:
    from twotower.artifacts.folder import Artifacts

BLOCK = 2**20
"""Elements that are looked at at a time."""


def check_shapes(artifacts: "Artifacts") -> None:
    """Require arrays of the same users, items and dimensions.

    Raises:
        ValueError: naming the one that is not.
    """
    users, items = len(artifacts.user_ids), len(artifacts.item_ids)
    dim = artifacts.item_vecs.shape[-1]
    history = artifacts.history_item_vecs
    expected: list[tuple[str, NDArray[Any], tuple[int, ...]]] = [
        ("user_vecs", artifacts.user_vecs, (users, dim)),
        ("item_vecs", artifacts.item_vecs, (items, dim)),
        ("seen_offsets", artifacts.seen.offsets, (users + 1,)),
        ("item_counts", artifacts.item_counts, (items,)),
    ]
    if history is not None:
        expected.append(("history_item_vecs", history, (items, dim)))
        if not {"user_exponent", "history_decay"} <= set(artifacts.meta.get("history", ())):
            msg = f"{META}: history must say how histories are pooled"
            raise ValueError(msg)
    for name, array, shape in expected:
        if array.shape != shape:
            msg = f"{name}.npy has shape {array.shape}, but the vocabulary needs {shape}"
            raise ValueError(msg)
    for key, count in (("num_users", users), ("num_items", items)):
        if artifacts.meta.get(key, count) != count:
            msg = f"{META}: {key} is {artifacts.meta[key]}, but the vocabulary has {count}"
            raise ValueError(msg)
    offsets = artifacts.seen.offsets
    if offsets[0] != 0 or offsets[-1] != len(artifacts.seen.items):
        msg = "seen_offsets.npy and seen_items.npy do not match"
        raise ValueError(msg)


def check_counts(artifacts: "Artifacts") -> None:
    """Look at all indices and counts; of arrays that are mapped, some at a time.

    Raises:
        ValueError: naming the array that holds another.
    """
    offsets, items = artifacts.seen.offsets, artifacts.seen.items
    starts = np.zeros(len(items) + 1, np.bool_)
    for block in _blocks(offsets):
        if block[0] < 0 or block[-1] > len(items) or (np.diff(block) < 0).any():
            msg = "seen_offsets.npy does not ascend from 0"
            raise ValueError(msg)
        starts[block] = True
    for low in range(0, len(items), BLOCK):
        block = items[low : low + BLOCK + 1]
        ascends = (np.diff(block) > 0) | starts[low + 1 : low + len(block)]
        if block.min() < 0 or block.max() >= len(artifacts.item_ids) or not ascends.all():
            msg = "seen_items.npy holds what are not the items of a user, ascending"
            raise ValueError(msg)
    if any(block.min() < 0 for block in _blocks(artifacts.item_counts)):
        msg = "item_counts.npy has a count below 0"
        raise ValueError(msg)


def _blocks(values: Int64Array) -> Iterator[Int64Array]:
    """Parts of an array, each with the first element of the next."""
    for low in range(0, len(values), BLOCK):
        yield values[low : low + BLOCK + 1]
