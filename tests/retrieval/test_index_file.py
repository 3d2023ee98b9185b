"""Files of indexes that would lead usearch's native code astray."""

import struct

import numpy as np
import pytest

from twotower.retrieval.approximate import build_index, open_index
from twotower.retrieval.graph import NEIGHBOURS
from twotower.retrieval.index_file import GRAPH, HEAD, check_index, stored_dtype

pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')

COUNT, DIM = 300, 4
WHOLE = build_index(np.random.default_rng(0).normal(size=(COUNT, DIM)).astype(np.float32))
AT_HEAD = 8 + COUNT * DIM * 4
AT_GRAPH = AT_HEAD + HEAD.size
AT_LEVELS = AT_GRAPH + GRAPH.size
AT_NODES = AT_LEVELS + 2 * COUNT
FIRST = GRAPH.unpack_from(WHOLE, AT_GRAPH)[4]
"""The node at the highest level."""


def check(content: bytes) -> None:
    check_index(np.frombuffer(content, np.uint8), DIM, COUNT, NEIGHBOURS)


def at(place: int, form: str, value: int) -> bytes:
    data = bytearray(WHOLE)
    struct.pack_into(form, data, place, value)
    return bytes(data)


def upper_link() -> int:
    """Where the first node with a second level has its first link at that level."""
    levels = np.frombuffer(WHOLE[AT_LEVELS:AT_NODES], "<i2").astype(int)
    node = int(np.flatnonzero(levels)[0])
    return AT_NODES + int((142 + 68 * levels[:node]).sum()) + 142 + 4


@pytest.mark.parametrize("dtype", ["f32", "f16", "i8"])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_what_is_built_is_whole(dtype: str, count: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    content = np.frombuffer(build_index(vectors, dtype), np.uint8)
    assert stored_dtype(content) == dtype
    assert len(open_index(content, 8, count)) == count


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[:4], "cut short"),
        (WHOLE[: AT_LEVELS - 1], "cut short"),
        (WHOLE[: AT_NODES + 5], "cut short"),
        (WHOLE + b"0", "longer than its nodes"),
        (at(0, "<I", 2**32 - 1), "cut short"),
        (at(4, "<I", 8), "."),
        (at(AT_HEAD, "<B", 0), "no head of usearch"),
        (at(AT_HEAD + 13, "<B", ord("c")), "another kind"),
        (at(AT_HEAD + 17, "<Q", 10**9), "does not hold 300 items"),
        (at(AT_GRAPH, "<Q", 2**60), "does not hold 300 items"),
        (at(AT_GRAPH + 8, "<Q", 2**40), "does not hold 300 items"),
        (at(AT_GRAPH + 24, "<Q", 50), "first node is not at the highest level"),
        (at(AT_GRAPH + 32, "<Q", COUNT), "first node is not at the highest level"),
        (at(AT_LEVELS, "<h", -1), "levels that no node can have"),
        (at(AT_LEVELS, "<h", 30_000), "levels that no node can have"),
        (at(AT_NODES, "<Q", 2**40), "not in the order of the items"),
        (at(AT_NODES + 8, "<h", 7), "not in the order of the items"),
        (at(AT_NODES + 10, "<I", 33), "more links than there may be"),
        (at(AT_NODES + 14, "<I", COUNT), "a link leads nowhere"),
        (at(AT_NODES + 14, "<I", 2**32 - 1), "a link leads nowhere"),
        (at(upper_link(), "<I", int(FIRST == 0)), "a link leads nowhere"),
    ],
)
def test_what_would_be_read_beyond_its_end_is_refused(content: bytes, message: str) -> None:
    check(WHOLE)
    with pytest.raises(ValueError, match=message):
        check(content)
