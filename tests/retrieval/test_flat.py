"""Indexes of codes: what they hold by hand, what they find, what they refuse."""

import math
import sys

import numpy as np
import pytest

from twotower.common.errors import ConfigError
from twotower.data.interactions import ItemLists
from twotower.retrieval.approximate import (
    build_index,
    check_installed,
    index_dtype,
    index_recall,
    open_index,
)
from twotower.retrieval.codes import Int8Codes, SignCodes, _turns
from twotower.retrieval.exact import Candidates, top_k
from twotower.retrieval.flat import HEAD

RNG = np.random.default_rng(0)
DIM, COUNT = 24, 9_000
ITEMS = (
    RNG.normal(size=(COUNT, DIM))
    * np.arange(1, DIM + 1) ** -0.5
    * RNG.lognormal(0, 0.5, (COUNT, 1))
).astype(np.float32)
USERS = RNG.normal(size=(30, DIM)).astype(np.float32)
KINDS = pytest.mark.parametrize("dtype", ["int8", "binary"])


def content(dtype: str, items: np.ndarray = ITEMS) -> np.ndarray:
    return np.frombuffer(build_index(items, dtype), np.uint8)


@pytest.fixture(scope="module")
def built() -> dict[str, np.ndarray]:
    return {dtype: content(dtype) for dtype in ("int8", "binary")}


def test_each_vector_has_steps_of_its_own() -> None:
    codes = Int8Codes.of(np.array([[2.54, -1.27, 0.01], [0, 0, 0], [0, 0, -1e-3]], np.float32))
    # Steps 2.54 / 127 = 0.02, so that -1.27 is 63.5 of them and 0.01 half of one.
    assert codes.codes[0, 0] == 127
    assert codes.codes[0, 1] in (-63, -64)
    assert codes.codes[1:].tolist() == [[0, 0, 0], [0, 0, -127]]
    assert codes.lengths == pytest.approx([0.02, 0, 1e-3 / 127])
    (low, scores), *rest = codes.estimates(np.array([[1.0, 0, 0], [0, 0, 2.0]], np.float32))
    assert (low, rest) == (0, [])
    assert scores == pytest.approx(
        np.array([[2.54, 0, 0], [0.02 * codes.codes[0, 2] * 2, 0, -2e-3]])
    )


def test_turns_are_rotations_up_to_a_factor() -> None:
    turns = _turns(16)
    assert turns.shape == (16, 64)
    for start in range(0, 64, 16):
        block = turns[:, start : start + 16]
        assert np.array_equal(block @ block.T, 256 * np.eye(16))
    assert len({turns[:, start : start + 16].tobytes() for start in range(0, 64, 16)}) == 4
    assert len(np.unique(np.abs(_turns(64)[0]))) > 2  # a single coordinate is spread unevenly


def test_the_share_of_signs_that_differ_tells_the_angle() -> None:
    angle = RNG.uniform(0, math.pi, 400)
    first, second = np.linalg.qr(RNG.normal(size=(64, 2)))[0].T
    vectors = 3.0 * (np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second))
    codes = SignCodes.of(vectors.astype(np.float32))
    assert codes.lengths == pytest.approx(np.full(400, 3.0))
    ((_, scores),) = codes.estimates(first[None].astype(np.float32))
    error = scores[0] - 3 * np.cos(angle)
    # 128 signs: the share has a standard deviation of 0.044, the cosine π times as much.
    assert np.abs(error.mean()) < 0.1
    assert error.std() < 3 * math.pi * 0.044


@KINDS
def test_it_needs_no_library(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    check_installed(dtype)
    assert len(open_index(content(dtype, ITEMS[:50]), DIM, 50)) == 50
    with pytest.raises(ConfigError, match="needs usearch"):
        check_installed("f32")


@KINDS
def test_same_bytes_again_in_as_many_as_promised(dtype: str, built: dict[str, np.ndarray]) -> None:
    assert np.array_equal(content(dtype), built[dtype])
    bytes_of_item = {"int8": DIM + 4, "binary": 8 + 4}[dtype]
    assert len(built[dtype]) == pytest.approx(HEAD.size + COUNT * bytes_of_item, abs=128)
    assert index_dtype(built[dtype]) == dtype


@KINDS
def test_it_finds_nearly_what_exact_search_finds(dtype: str, built: dict[str, np.ndarray]) -> None:
    index = open_index(built[dtype], DIM, COUNT)
    assert index_recall(index, USERS, ITEMS, 10)["recall"] > {"int8": 0.999, "binary": 0.97}[dtype]
    nothing = ItemLists.empty(len(USERS))
    items, scores = index.top_k(USERS, Candidates(ITEMS), 10, nothing)
    assert np.allclose(scores, np.take_along_axis(USERS @ ITEMS.T, items, axis=1), atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()


@KINDS
def test_filters_and_hidden_items(dtype: str, built: dict[str, np.ndarray]) -> None:
    index = open_index(built[dtype], DIM, COUNT)
    allowed = np.arange(COUNT) % 3 != 0
    possible = Candidates(ITEMS, allowed)
    hidden = top_k(USERS, possible, 5, ItemLists.empty(30))[0]
    masked = ItemLists.of([np.sort(row) for row in hidden])
    items, _ = index.top_k(USERS, possible, 10, masked)
    assert allowed[items].all()
    assert not any(np.isin(row, own).any() for row, own in zip(items, hidden, strict=True))
    want, _ = top_k(USERS, possible, 10, masked)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(want, items, strict=True)]) > 0.95


@KINDS
@pytest.mark.parametrize("keeps", [5, 200])
def test_few_items_are_scored_exactly(dtype: str, keeps: int, built: dict[str, np.ndarray]) -> None:
    index = open_index(built[dtype], DIM, COUNT)
    possible = Candidates(ITEMS, np.arange(COUNT) % keeps == 0)
    masked = ItemLists.of([np.arange(0, COUNT, keeps * 2)] * 30)
    got, want = (find(USERS, possible, 30, masked) for find in (index.top_k, top_k))
    assert np.array_equal(got[0], want[0])
    assert np.array_equal(got[1], want[1], equal_nan=True)


@KINDS
def test_one_vector_far_longer_than_all_others_does_no_harm(dtype: str) -> None:
    items = ITEMS.copy()
    items[7] *= 1e6
    index = open_index(content(dtype, items), DIM, COUNT)
    assert index_recall(index, USERS, items, 10)["recall"] > 0.95


@KINDS
def test_later_vectors_are_as_if_they_had_been_there(
    dtype: str, built: dict[str, np.ndarray]
) -> None:
    shorter = open_index(content(dtype, ITEMS[:8_000]), DIM, 8_000)
    longer = shorter.with_vectors(ITEMS, 8_000)
    assert (len(shorter), len(longer), longer.dtype) == (8_000, COUNT, dtype)
    whole, nothing = open_index(built[dtype], DIM, COUNT), ItemLists.empty(30)
    got, want = (one.top_k(USERS, Candidates(ITEMS), 10, nothing) for one in (longer, whole))
    assert np.array_equal(got[0], want[0])


@KINDS
@pytest.mark.parametrize("count", [0, 1, 40])
def test_small_catalogues(dtype: str, count: int) -> None:
    index = open_index(content(dtype, ITEMS[:count]), DIM, count)
    assert len(index) == count
    items, _ = index.top_k(USERS, Candidates(ITEMS[:count]), count, ItemLists.empty(30))
    assert np.array_equal(np.sort(items, axis=1), np.tile(np.arange(count), (30, 1)))


@KINDS
def test_what_it_may_not_read_is_refused(dtype: str, built: dict[str, np.ndarray]) -> None:
    whole = built[dtype].tobytes()

    def refused(data: bytes, message: str, dim: int = DIM, count: int = COUNT) -> None:
        with pytest.raises(ValueError, match=message):
            open_index(np.frombuffer(data, np.uint8), dim, count)

    refused(whole[:-1], "cut short")
    refused(whole + bytes(64), "longer than its vectors")
    refused(whole[:20], "another kind")
    refused(whole[:16] + b"int4".ljust(16, b"\0") + whole[32:], "another kind")
    refused(whole, "does not hold 9,000 vectors of length 25", dim=25)
    refused(whole, "does not hold 9,001 vectors", count=COUNT + 1)
    vast = HEAD.pack(*HEAD.unpack_from(whole)[:2], DIM, 2**60)
    refused(vast + whole[HEAD.size :], "does not hold 9,000")
    refused(vast + whole[HEAD.size :], "cut short", count=2**60)
    for length in (math.nan, math.inf, -1.0):
        place = len(whole) - 4 * COUNT - (-4 * COUNT) % 64
        bad = whole[:place] + np.float32(length).tobytes() + whole[place + 4 :]
        refused(bad, "lengths that no vector can have")
