"""Hashes of ids and numbers that are the same on every machine and in every process."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from twotower.common.arrays import UInt64Array

if TYPE_CHECKING:
    import pandas as pd


def id_hashes(ids: "pd.Series") -> UInt64Array:
    """[num_rows] BLAKE2b-64 of each id as text, its first byte the lowest.

    The integer 7 and the text "7" have the same hash.
    """
    codes, distinct = ids.factorize()
    digests = [hashlib.blake2b(str(key).encode(), digest_size=8).digest() for key in distinct]
    hashes = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    return np.asarray(hashes[codes])


def splitmix64(values: UInt64Array) -> UInt64Array:
    """Scrambled bits, one to one; the values' shape.

    Source: the finaliser of SplitMix64; Steele, Lea and Flood, OOPSLA 2014.
    """
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))
