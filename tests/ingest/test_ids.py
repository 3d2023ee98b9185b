"""Ids: what they were, one type for all, and no other id for a blank."""

import datetime as dt
import unicodedata
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.data.id_text import IdText
from twotower.ingest.codes import Codes
from twotower.ingest.convert import as_ids
from twotower.ingest.ids import RawIds, choose_integers, describe_ids

KEY = "data.users.id_type"


def raw_ids(values, kind=None, *, typed=False, headers=()) -> RawIds:
    codes = Codes()
    for value in values:  # batches of one row
        codes.add(as_ids(pa.array([value], kind), "f: column 'u'", KEY))
    return RawIds(*codes.finish(), typed, "f: column 'u'", headers)


def settled(values, *, typed=False, id_type="auto", nfc=False):
    raw = raw_ids(values, typed=typed)
    integers = choose_integers(raw, id_type, "data.users.id_type")
    return raw.settle(integers=integers, text=IdText(nfc)).column.to_pylist()


@pytest.mark.parametrize(
    ("values", "typed", "expected"),
    [
        (["1", "20", "-3", "0"], False, [1, 20, -3, 0]),
        (["1", "007"], False, ["1", "007"]),
        (["1", "NA"], False, ["1", "NA"]),
        (["1", "-0"], False, ["1", "-0"]),
        (["1.0", "2.00", "1"], False, [1, 2, 1]),
        (["1.0", "1.5"], False, ["1.0", "1.5"]),
        (["1", " 2", "2 ", "\u00a02"], False, [1, 2, 2, 2]),
        ([" a", "a", "\ufeffa\t"], False, ["a", "a", "a"]),
        (["1", "", " "], False, [1, None, None]),
        (["9223372036854775807"], False, [9223372036854775807]),
        (["9223372036854775808"], False, ["9223372036854775808"]),
        (["1", "2"], True, ["1", "2"]),
        ([1, 2], True, [1, 2]),
    ],
)
def test_the_type_is_decided_over_the_column(values, typed, expected):
    assert settled(values, typed=typed) == expected


@pytest.mark.parametrize(
    ("values", "typed", "id_type", "expected"),
    [
        (["1", "1.0"], False, "text", ["1", "1.0"]),
        (["1", "guest", "007"], False, "integer", [1, None, None]),
        (["1", "2"], True, "integer", [1, 2]),
        ([1, 2], True, "text", ["1", "2"]),
    ],
)
def test_a_declared_type(values, typed, id_type, expected):
    assert settled(values, typed=typed, id_type=id_type) == expected


def test_letters_and_their_accents_are_composed_on_request():
    cafe = ["caf\u00e9", "cafe\u0301", "한국", unicodedata.normalize("NFD", "한국")]
    assert len(set(settled(cafe))) == 4
    assert settled(cafe, nfc=True) == [cafe[0], cafe[0], cafe[2], cafe[2]]


@pytest.mark.parametrize("nfc", [False, True])
def test_one_id_is_written_as_a_column_of_them(nfc):
    texts = [f"{space}a{space}\u0301{space}" for space in map(chr, range(0x3100))]
    text = IdText(nfc)
    assert text.column(pa.array(texts)).to_pylist() == [text.one(one) for one in texts]


def test_what_makes_ids_text():
    assert raw_ids(["1", "2", "guest", "3"]).odd_text() == 2
    assert raw_ids(["1", "user_id", "2"], headers=["user_id"]).are_integers
    assert raw_ids(["1", "2"]).odd_text() is None


def test_integers_that_are_few_among_values_but_not_among_rows_are_notable():
    guests = [f"guest{number}" for number in range(30)]
    assert raw_ids(["a1", "7", "b2", "c3"]).odd_text() == 0
    assert raw_ids(["7"] * 4 + guests).odd_text() == 1
    assert raw_ids(["7"] * 3 + guests).odd_text() is None


def test_parquet_ids():
    ints = [[1, None], [1.0, float("nan")]]
    assert as_ids(pa.array(ints[0], pa.uint32()), "f", KEY).to_pylist() == [1, None]
    assert as_ids(pa.array(ints[1]), "f", KEY).to_pylist() == [1, None]
    decimals = pa.array(["12", None]).cast(pa.decimal128(20, 3))
    assert as_ids(decimals, "f", KEY).to_pylist() == [12, None]
    assert as_ids(pa.array(["a", "b"]).dictionary_encode(), "f", KEY).to_pylist() == ["a", "b"]
    for kind in (pa.binary(), pa.large_binary(), pa.binary(1)):
        assert as_ids(pa.array([b"a"], kind), "f", KEY).to_pylist() == ["a"]


@pytest.mark.parametrize("kind", [pa.uint64(), pa.decimal128(38, 2), pa.decimal256(60, 0)])
def test_parquet_integers_beyond_64_bits_are_text(kind):
    values = [2**64 - 1, 7, None]
    assert as_ids(pa.array(values, kind), "f", KEY).to_pylist() == [
        "18446744073709551615",
        "7",
        None,
    ]


@pytest.mark.parametrize("values", [[1.0, 1.5], [Decimal("1.00"), Decimal("1.50")]], ids=str)
def test_parquet_ids_with_fractions(values):
    with pytest.raises(DataError, match=r"f: ids must be .* 1\.50?; .* data\.users\.id_type: text"):
        as_ids(pa.array(values), "f", KEY)


@pytest.mark.parametrize(
    "values",
    [
        [True],
        [dt.date(2024, 1, 1)],
        [b"\xff"],
        pa.array([b"\xff\xfe"], pa.binary(2)),
        [[1]],
    ],
    ids=str,
)
def test_other_types_are_not_ids(values):
    with pytest.raises(
        DataError, match=r"f\.parquet: column 'u': ids must be text or integers, got type"
    ):
        as_ids(pa.array(values), "f.parquet: column 'u'", KEY)


@pytest.mark.parametrize(("kind", "digits"), [("float16", 11), ("float32", 24), ("float64", 53)])
def test_floats_that_stand_for_several_integers_are_not_ids(kind, digits):
    exact = np.array([2.0**digits, -5], dtype=kind)
    assert as_ids(pa.array(exact), "f", KEY).to_pylist() == [2**digits, -5]
    with pytest.raises(DataError, match=rf"f: ids of type \w+ are exact up to {2**digits}"):
        as_ids(pa.array(exact + np.array([2, 0], kind)), "f", KEY)


def test_describe_ids_shows_what_makes_them_text():
    assert describe_ids(pa.array(["1", "007"])) == "text such as '007'"
    assert describe_ids(pa.array(["1"])) == "text such as '1'"
    assert describe_ids(pa.array([5, 7])) == "integers such as 5"
    assert describe_ids(pa.array([], pa.string())) == "no valid ids"


def test_batches_of_text_and_of_integers_are_text():
    codes = Codes()
    for batch in (pa.array([7, None]), pa.array(["7", "a"])):
        codes.add(batch)
    assert codes.mixed
    values, positions = codes.finish()
    assert (values.to_pylist(), positions.tolist()) == (["7", "a"], [0, -1, 0, 1])


def test_a_batch_without_values_has_no_type():
    codes = Codes()
    for batch in (pa.array([None], pa.string()), pa.array([7])):
        codes.add(batch)
    assert not codes.mixed
    values, positions = codes.finish()
    assert (values.to_pylist(), positions.tolist()) == ([7], [-1, 0])
