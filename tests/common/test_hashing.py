import numpy as np
import pandas as pd

from twotower.common.hashing import id_hashes, splitmix64

DIGESTS = ("e75017cace788f82", "719a6bf9e79bd8de")


def test_the_hash_of_an_id_is_that_of_its_text() -> None:
    # echo -n 7 | b2sum -l 64, and the same of "añil".
    expected = [int.from_bytes(bytes.fromhex(digest), "little") for digest in DIGESTS]
    assert id_hashes(pd.Series(["7", "añil", "7"])).tolist() == [*expected, expected[0]]
    assert id_hashes(pd.Series([7])).tolist() == expected[:1]


def test_no_ids_have_no_hashes() -> None:
    assert id_hashes(pd.Series([], dtype=np.int64)).shape == (0,)


def test_splitmix64_gives_the_published_sequence() -> None:
    # The generator's first outputs for the seed 1234567 (Rosetta Code, "Pseudo-random numbers /
    # Splitmix64"): the finaliser of the seed plus multiples of the golden increment.
    increments = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert splitmix64(np.uint64(1234567) + increments).tolist() == expected
