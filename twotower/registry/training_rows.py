"""Which rows a model was trained on, as hashes that travel with it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from twotower.artifacts import Artifacts
from twotower.artifacts.content import read_content
from twotower.artifacts.npy import as_array
from twotower.common.arrays import Int64Array, UInt64Array, save_array
from twotower.common.errors import RegistryError
from twotower.common.files import atomic_write
from twotower.common.hashing import id_hashes, splitmix64
from twotower.data.interactions import Interactions

FILE = "training_rows.npy"
"""[num_rows] uint64, ascending; duplicate rows occur as often as in the data."""
INCREMENT = np.uint64(0x9E3779B97F4A7C15)
"""Of SplitMix64; registered models carry hashes that were computed with it."""


def row_hashes(frame: pd.DataFrame) -> UInt64Array:
    """[num_rows] hash of each (user, item, timestamp), the same on every machine.

    The probability that any of a million test rows shares its hash with a different one of a
    billion training rows is about 1 in 20,000.
    """
    state = splitmix64(id_hashes(frame["user_id"]) + INCREMENT)
    state = splitmix64((state ^ id_hashes(frame["item_id"])) + INCREMENT)
    timestamps = frame["timestamp"].to_numpy(np.int64).view(np.uint64)
    return splitmix64((state ^ timestamps) + INCREMENT)


def write_training_rows(path: Path, frame: pd.DataFrame) -> None:
    """Write the hashes of the rows that a model was trained on."""
    with atomic_write(path) as handle:
        save_array(handle, np.sort(row_hashes(frame)))


def read_training_rows(path: Path, count: int) -> UInt64Array:
    """Read a file that `write_training_rows` wrote.

    Args:
        path: of the file.
        count: number of rows that the model was trained on.

    Raises:
        RegistryError: if the file is missing or damaged.
    """
    try:
        hashes: UInt64Array = as_array(read_content(path, None), FILE, "<u8", 1)
        if len(hashes) != count or (hashes[1:] < hashes[:-1]).any():
            msg = f"{FILE} does not hold {count:,} hashes, ascending"
            raise ValueError(msg)
    except (OSError, ValueError) as error:
        msg = f"the hashes of its training rows cannot be read ({error})"
        raise RegistryError(msg) from None
    return hashes


def count_trained_on(test: pd.DataFrame, trained_on: UInt64Array, allowed: UInt64Array) -> int:
    """Number of test rows that are in a model's training data.

    A test row may equal a training row, to the second. It therefore counts only if the model was
    trained on more copies of it than the training and validation splits hold.

    Args:
        test: user_id, item_id and timestamp.
        trained_on: ascending hashes of the model's training rows.
        allowed: ascending hashes of the training and validation rows.
    """
    hashes = row_hashes(test)
    return int((_occurrences(trained_on, hashes) > _occurrences(allowed, hashes)).sum())


def _occurrences(ascending: UInt64Array, hashes: UInt64Array) -> Int64Array:
    low, high = (np.searchsorted(ascending, hashes, side) for side in ("left", "right"))
    return high - low


def training_frame(artifacts: Artifacts, splits: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows that a model was trained on.

    Args:
        artifacts: of the model.
        splits: prepared data.

    Raises:
        RegistryError: if the model was trained on different data.
    """
    frame = pd.concat([splits[name] for name in artifacts.meta["trained_on"]], ignore_index=True)
    users, items = (
        ids.encode(frame[column].tolist())
        for ids, column in ((artifacts.user_ids, "user_id"), (artifacts.item_ids, "item_id"))
    )
    weights, timestamps = np.zeros(len(frame), np.float32), np.zeros(len(frame), np.int64)
    rows = Interactions(users, items, weights, timestamps)
    seen = rows.distinct_items(len(artifacts.user_ids), len(artifacts.item_ids))
    same = (
        int(artifacts.item_counts.sum()) == len(frame)
        and np.array_equal(seen.offsets, artifacts.seen.offsets)
        and np.array_equal(seen.items, artifacts.seen.items)
    )
    if not same:
        msg = f"{artifacts.folder} was not trained on the current prepared data; run dvc repro"
        raise RegistryError(msg)
    return frame
