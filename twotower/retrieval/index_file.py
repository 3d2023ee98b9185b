"""The file of an index, looked at before usearch's native code follows what it says.

Little-endian, as usearch 2 writes it:

    rows, width     uint32 each; then rows * width bytes of vectors
    head            64 bytes: "usearch", versions, kinds, counts
    graph           5 uint64: rows, links of a node, links at the lowest level, highest level, first
                    node; then an int16 for each node, its highest level
    nodes           key uint64, highest level int16; then for each level from the lowest a uint32,
                    how many links there are, and as many uint32 places as there may be
"""

import struct
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Int64Array

HEAD = struct.Struct("<7sHHHBBBBQQQ?22x")
GRAPH = struct.Struct("<QQQQQ")
SCALARS = {0x0B: ("f32", 4), 0x0C: ("f16", 2), 0x17: ("i8", 1)}
"""usearch's number of a type of vectors: its name, and bytes of an element."""
NONE = ("", 0)
INNER_PRODUCT, KEYS, PLACES = ord("i"), 0x0E, 0x0F
"""usearch's numbers of the metric, and of uint64 keys and uint32 places."""
HIGHEST = 64
"""Level that no node can have."""
BLOCK = 2**16
"""Nodes that are looked at at a time."""


def check_index(content: NDArray[np.uint8], dim: int, num_items: int, links: int) -> None:
    """Refuse a file that usearch might read beyond its end, or whose keys are not those of items.

    Args:
        content: of the file.
        dim: length of the vectors.
        num_items: number of vectors; the key of each is its index.
        links: of a node, at most; at the lowest level twice as many.

    Raises:
        ValueError: if it is no such index.
    """
    try:
        start, head, graph = _heads(content)
    except struct.error:
        _refuse("it is cut short")
    magic, major, *_, metric, scalar, keys, places, present, deleted, length, is_multi = head
    if magic != b"usearch" or major != 2:
        _refuse("it has no head of usearch 2")
    if length != dim:
        msg = f"holds vectors of length {length}, expected {dim}"
        raise ValueError(msg)
    kinds = metric == INNER_PRODUCT and keys == KEYS and places == PLACES and not is_multi
    sizes = int.from_bytes(content[:4], "little"), int.from_bytes(content[4:8], "little")
    if not kinds or sizes != (num_items, dim * SCALARS.get(scalar, NONE)[1]):
        _refuse("its vectors are of another kind or number")
    if (present, deleted) != (num_items, 0) or graph[:3] != (num_items, links, 2 * links):
        _refuse(f"it does not hold {num_items:,} items")
    if num_items:
        _check_graph(content[start:], num_items, graph)


def stored_dtype(content: NDArray[np.uint8]) -> str:
    """Type of the vectors in the file of an index, as `build_index` takes it.

    Raises:
        ValueError: if it has none that is known.
    """
    try:
        scalar = _heads(content)[1][5]
        return SCALARS[scalar][0]
    except (struct.error, KeyError):
        _refuse("its vectors are of another kind")


def _heads(content: NDArray[np.uint8]) -> tuple[int, tuple[Any, ...], tuple[int, ...]]:
    """Where the levels begin, the head, and the graph's."""
    view = content.data
    rows, width = struct.unpack_from("<II", view)
    start = 8 + rows * width
    if start > len(content):
        raise struct.error
    head = HEAD.unpack_from(view, start)
    graph = GRAPH.unpack_from(view, start + HEAD.size)
    return start + HEAD.size + GRAPH.size, head, graph


def _check_graph(rest: NDArray[np.uint8], num_items: int, graph: tuple[int, ...]) -> None:
    links, lowest, highest, first = graph[1:]
    levels = rest[: 2 * num_items].view("<i2").astype(np.int64)
    if len(levels) != num_items or levels.min() < 0 or levels.max() >= HIGHEST:
        _refuse("it has levels that no node can have")
    if first >= num_items or levels[first] != highest or levels.max() != highest:
        _refuse("its first node is not at the highest level")
    base, upper = 4 + 4 * lowest, 4 + 4 * links
    sizes = 10 + base + levels * upper
    begins = 2 * num_items + np.cumsum(sizes) - sizes
    if begins[-1] + sizes[-1] != len(rest):
        _refuse("it is cut short, or longer than its nodes")
    for low in range(0, num_items, BLOCK):
        nodes = np.arange(low, min(low + BLOCK, num_items))
        own = _rows(rest, begins[nodes], 10)
        keys, stored = own[:, :8].copy().view("<u8")[:, 0], own[:, 8:].copy().view("<i2")[:, 0]
        if not (np.array_equal(keys, nodes) and np.array_equal(stored, levels[nodes])):
            _refuse("its nodes are not in the order of the items")
        _check_links(_rows(rest, begins[nodes] + 10, base), levels, 0)
        for level, at_level in _by_level(nodes, levels):
            places = begins[at_level] + 10 + base + (level - 1) * upper
            _check_links(_rows(rest, places, upper), levels, level)


def _by_level(nodes: Int64Array, levels: Int64Array) -> Iterator[tuple[int, Int64Array]]:
    """Each level above the lowest that some of the nodes have, and those nodes."""
    for level in range(1, int(levels[nodes].max()) + 1):
        yield level, nodes[levels[nodes] >= level]


def _rows(content: NDArray[np.uint8], begins: Int64Array, width: int) -> NDArray[np.uint8]:
    """[len(begins), width] the bytes from each place on."""
    rows: NDArray[np.uint8] = content[begins[:, None] + np.arange(width)]
    return rows


def _check_links(rows: NDArray[np.uint8], levels: Int64Array, level: int) -> None:
    """Links lead to nodes that have this level."""
    words = rows.view("<u4").astype(np.int64)
    counts, places = words[:, 0], words[:, 1:]
    if counts.max() > places.shape[1]:
        _refuse("a node has more links than there may be")
    linked = places[np.arange(places.shape[1]) < counts[:, None]]
    if len(linked) and (linked.max() >= len(levels) or levels[linked].min() < level):
        _refuse("a link leads nowhere")


def _refuse(reason: str) -> NoReturn:
    msg = f"is not an index: {reason}"
    raise ValueError(msg)
