"""Vectors in a NumPy file."""

import io
import re
from typing import Any

import numpy as np
import pytest

from tests.ingest.conftest import Shop
from twotower.common.errors import ConfigError, DataError
from twotower.ingest.summary import summary

IDS = ("12", "99", "10", "11")
VECTORS = np.array([[0, 2], [7, 7], [3, 4], [1, 0]])
EXPECTED = [[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]]
"""Of items 10, 11 and 12, before they are scaled."""


def headed(header: str) -> bytes:
    """A file with this header, whatever it says."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(24)


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def declare(shop: Shop, vectors: bytes, ids: bytes, suffix: str = ".txt") -> None:
    feature = {"kind": "vector", "file": "emb.npy", "ids": f"ids{suffix}"}
    shop.data["items"] = {"features": {"emb": feature}}
    shop.write("emb.npy", vectors)
    shop.write(f"ids{suffix}", ids)


def lines(ids: Any) -> bytes:
    return "".join(f"{each}\n" for each in ids).encode()


def raw_vectors(shop: Shop) -> np.ndarray:
    column = shop.catalogue().items.features.columns["emb"]
    return column.values * column.scale


@pytest.mark.parametrize(
    ("suffix", "ids"),
    [
        (".txt", lines(IDS)),
        (".txt", "\n".join(IDS).encode()),
        (".npy", npy(np.array([int(each) for each in IDS]))),
        (".npy", npy(np.array(IDS))),
        (".csv", b"item\n" + lines(IDS)),
    ],
)
@pytest.mark.parametrize("kind", [">f4", np.float16, np.float64])
def test_vectors_are_found_by_id(shop: Shop, suffix: str, ids: bytes, kind: Any) -> None:
    declare(shop, npy(VECTORS.astype(kind)), ids, suffix)
    report = shop.run()
    assert np.allclose(raw_vectors(shop), EXPECTED)
    assert report["features"]["items"]["vectors"] == {
        "emb": {"width": 2, "missing": 0, "unused": 1}
    }
    assert "items: emb: vectors of 2 for 3 of 3, 1 of others unused" in summary(report)


def test_users_may_have_them_and_ids_may_be_text(shop: Shop) -> None:
    rows = "user_id,item_id\na,10\na,11\nb,11\nb,12\n"
    shop.write("interactions.csv", rows)
    shop.write("users.csv", "user_id\na\nb\n")
    feature = {"kind": "vector", "file": "u.npy", "ids": "u.txt"}
    shop.data["users"] = {"features": {"emb": feature}}
    shop.write("u.npy", npy(np.eye(2, dtype=np.float32)))
    shop.write("u.txt", "b\na\n")
    shop.run()
    values = shop.catalogue().users.features.columns["emb"].values
    assert np.array_equal(values, [[0, 1], [1, 0]])


FLOATS = VECTORS.astype(np.float32)
BAD = FLOATS.copy()
BAD[2, 1] = np.nan


KEY = r"data\.items\.features\.emb"
OF_VECTORS = {
    "one-dimensional": (npy(FLOATS[0]), rf"must be a matrix.*\({KEY}.file\), got the shape \(2,\)"),
    "integers": (npy(VECTORS), "must be a matrix of floats.* of type int64"),
    "none": (npy(FLOATS[:0]), r"must be a matrix.* got the shape \(0, 2\)"),
    "cut off": (npy(FLOATS)[:-3], "damaged, or no array of numbers"),
    "without its header": (npy(FLOATS)[:30], "damaged, or no array of numbers"),
    "empty": (b"", "is no array as numpy.save writes it"),
    "of no end": (
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}"),
        "damaged, or no array of numbers",
    ),
    "of a truth value": (
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2)}"),
        "damaged, or no array of numbers",
    ),
    "of no type": (
        headed("{'descr': ',f4', 'fortran_order': False, 'shape': (3, 2)}"),
        "damaged, or no array of numbers",
    ),
    "of brackets": (headed("(" * 90), "damaged, or no array of numbers"),
    "of signs": (headed("-" * 3_000 + "1"), "damaged, or no array of numbers"),
    "of a set of sets": (headed("{{1: 2}}"), "damaged, or no array of numbers"),
    "pickled": (b"\x80\x04K\x01.", "is no array as numpy.save writes it, a .npy file"),
    "objects": (npy(FLOATS.astype(object), allow_pickle=True), ".*no array of .*Python objects"),
    "too few": (npy(FLOATS[:3]), rf"has 3 vectors, but .*ids.txt has 4 ids \({KEY}\)"),
}
OF_IDS = {
    "text": (
        "abcd",
        r"none of these ids, text such as 'a', .* has integers such as 10 \(data.items",
    ),
    "of others": (range(90, 94), r"none of these ids, integers such as 90, .*such as 10 \(data"),
    "repeated": (("12", 10, 10, 11), r"must not repeat an id; 1 invalid row: line 3 \('10'\); fix"),
    "no integer": (("12", "x", 10, 11), r"must be an integer \(data.items.id_type\); .*2 \('x'\)"),
    "blank": (("12", "", 10, 11), r"must not be blank; 1 invalid row: line 2"),
}


@pytest.mark.parametrize(("vectors", "message"), OF_VECTORS.values(), ids=OF_VECTORS)
def test_what_is_wrong_with_vectors(shop: Shop, vectors: bytes, message: str) -> None:
    declare(shop, vectors, lines(IDS))
    assert re.search(rf"emb.npy: {message}", error_of(shop))


@pytest.mark.parametrize(("ids", "message"), OF_IDS.values(), ids=OF_IDS)
def test_what_is_wrong_with_ids(shop: Shop, ids: Any, message: str) -> None:
    declare(shop, npy(FLOATS), lines(ids))
    assert re.search(rf"ids.txt: column 'id'(: | ){message}", error_of(shop))


def test_each_id_of_the_table_needs_a_vector(shop: Shop) -> None:
    declare(shop, npy(FLOATS), lines((1, 2, 10, 11)))
    rule = rf"must be in ids.txt, the ids of the vectors \({KEY}\); 1 invalid row: line 4 \('12'\)"
    assert re.search(rf"items.csv: column 'item_id' {rule}", error_of(shop))


@pytest.mark.parametrize(
    ("vectors", "what"),
    [(BAD, "2 is no number"), (FLOATS.astype(float) * 1e300, "1 is infinite, or beyond 32 bits")],
)
def test_vectors_are_finite(shop: Shop, vectors: Any, what: str) -> None:
    declare(shop, npy(vectors), lines(IDS))
    rule = rf"must have finite numbers in its vector in emb.npy \({KEY}; row 3: element {what}\); "
    assert re.search(rf"items.csv: column 'item_id' {rule}.*: line 2 \('10'\)", error_of(shop))


def error_of(shop: Shop) -> str:
    """The message, which is one line."""
    with pytest.raises(DataError) as error:
        shop.run()
    [line] = str(error.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("vectors", "ids"),
    [(FLOATS, (1, 2, 10, 11)), (FLOATS, ("12", "10", "10", "11")), (BAD, IDS)],
)
def test_invalid_ones_may_be_dropped(shop: Shop, vectors: Any, ids: Any) -> None:
    declare(shop, npy(vectors), lines(ids))
    shop.data["on_invalid"] = "drop"
    report = shop.run()
    missing = np.count_nonzero(~raw_vectors(shop).any(axis=1))
    assert report["read"]["items"]["blanked_cells"] == missing
    assert report["features"]["items"]["vectors"]["emb"]["missing"] == missing
    assert len(shop.catalogue().items) == 3


def test_the_first_of_repeated_ids_is_taken(shop: Shop) -> None:
    declare(shop, npy(FLOATS), lines(("12", "10", "10", "11")))
    shop.data["on_invalid"] = "drop"
    shop.run()
    assert np.allclose(raw_vectors(shop)[0], FLOATS[1])


def test_ids_are_one_column(shop: Shop) -> None:
    declare(shop, npy(FLOATS), b"item,name\n10,a\n", ".csv")
    with pytest.raises(
        DataError, match=r"ids.csv: must have one column, the ids .*emb.ids\); avail"
    ):
        shop.run()
    declare(shop, npy(FLOATS), npy(FLOATS), ".npy")
    with pytest.raises(DataError, match=r"ids.npy: must be one row of integers or text"):
        shop.run()


def test_files_are_inside_the_folder_and_may_be_optional(shop: Shop) -> None:
    declare(shop, npy(FLOATS), lines(IDS))
    feature = shop.data["items"]["features"]["emb"]
    feature["file"] = "../emb.npy"
    with pytest.raises(DataError, match=rf"{KEY}.file: must be inside data.root"):
        shop.run()
    feature["file"] = "others.npy"
    with pytest.raises(
        DataError, match=r"others.npy: no such file \(data.items.features.emb.file\)"
    ):
        shop.run()
    feature["optional"] = True
    assert shop.run()["features"]["items"] == {"used": [], "left_out": ["emb"]}


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"kind": "vector", "file": "a.npy"}, "file and ids are needed together"),
        ({"kind": "numeric", "normalise": True}, "normalise is for kind: vector only"),
        ({"kind": "categorical", "ids": "a.txt"}, "ids is for .* only, got kind: categorical"),
    ],
)  # fmt: skip
def test_keys_that_do_not_fit_the_kind(shop: Shop, feature: dict, message: str) -> None:
    shop.data["items"] = {"features": {"emb": feature}}
    with pytest.raises(ConfigError, match=f"data.items.features.emb: {message}"):
        shop.run()
