"""Which rows a model was trained on, as hashes that travel with it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from twotower.artifacts import Artifacts
from twotower.common.arrays import Int64Array, UInt64Array
from twotower.common.errors import RegistryError
from twotower.data.interactions import Interactions

FILE = "training_rows.npy"
"""[num_rows] uint64, ascending; rows that are equal occur as often as in the data."""


def row_hashes(frame: pd.DataFrame) -> UInt64Array:
    """[num_rows] hash of each (user, item, timestamp), the same on every machine.

    Two rows with one hash among a billion and a million are a matter of 1 in 20,000.
    """
    state = _mix(_id_hashes(frame["user_id"]))
    state = _mix(state ^ _id_hashes(frame["item_id"]))
    return _mix(state ^ frame["timestamp"].to_numpy(np.int64).view(np.uint64))


def _id_hashes(ids: pd.Series) -> UInt64Array:
    codes, distinct = pd.factorize(ids)
    digests = [hashlib.blake2b(str(key).encode(), digest_size=8).digest() for key in distinct]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)[codes]


def _mix(values: UInt64Array) -> UInt64Array:
    """Spread each value over all bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: UInt64Array = mixed ^ (mixed >> np.uint64(31))
    return result


def write_training_rows(path: Path, frame: pd.DataFrame) -> None:
    """Keep the hashes of the rows that a model was trained on."""
    np.save(path, np.sort(row_hashes(frame)), allow_pickle=False)


def read_training_rows(path: Path) -> UInt64Array:
    """What `write_training_rows` wrote.

    Raises:
        RegistryError: if the file is missing or damaged.
    """
    try:
        hashes: UInt64Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        msg = f"the registered model does not say what it was trained on ({error})"
        raise RegistryError(msg) from None
    return hashes


def count_trained_on(test: pd.DataFrame, trained_on: UInt64Array, allowed: UInt64Array) -> int:
    """Number of test rows that are in a model's training data.

    A row of the test split may equal one of the training splits, to the second. So a test row
    counts if the model was trained on more copies of it than there are in the rows it may know.

    Args:
        test: user_id, item_id and timestamp.
        trained_on: ascending hashes of the model's training rows.
        allowed: ascending hashes of the rows that are not test rows.
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
        RegistryError: if the model was trained on other data.
    """
    frame = pd.concat([splits[name] for name in artifacts.meta["trained_on"]], ignore_index=True)
    users, items = (
        ids.encode(frame[column].tolist())
        for ids, column in ((artifacts.user_ids, "user_id"), (artifacts.item_ids, "item_id"))
    )
    nothing = np.zeros(len(frame))
    rows = Interactions(users, items, nothing.astype(np.float32), nothing.astype(np.int64))
    seen = rows.distinct_items(len(artifacts.user_ids), len(artifacts.item_ids))
    same = (
        int(artifacts.item_counts.sum()) == len(frame)
        and np.array_equal(seen.offsets, artifacts.seen.offsets)
        and np.array_equal(seen.items, artifacts.seen.items)
    )
    if not same:
        msg = f"{artifacts.folder} was not trained on the prepared data that is here; run dvc repro"
        raise RegistryError(msg)
    return frame
