"""The arrays of a model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twotower.artifacts.content import read_content
from twotower.artifacts.npy import as_array

HISTORY = "history_item_vecs.npy"
KINDS = {
    "user_vecs.npy": ("<f4", 2),
    "item_vecs.npy": ("<f4", 2),
    HISTORY: ("<f4", 2),
    "seen_offsets.npy": ("<i8", 1),
    "seen_items.npy": ("<i8", 1),
    "item_counts.npy": ("<i8", 1),
}
"""Type and number of axes of each array."""


def read_arrays(
    folder: Path, meta: Mapping[str, Any], digests: Mapping[str, str], *, mmap: bool
) -> dict[str, Any]:
    """The arrays of a folder, by the names of their files.

    Args:
        folder: of the model.
        meta: content of its model_meta.json, of which `files` says which arrays there are.
        digests: that files must have, by name; a file that is not among them may have any.
        mmap: see `load_artifacts`.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a file is damaged, or holds another type or number of axes.
    """
    arrays = {}
    for name, (dtype, num_axes) in KINDS.items():
        if name in meta["files"]:
            finite = dtype == "<f4"
            content = read_content(folder / name, digests.get(name), mmap=mmap, finite=finite)
            arrays[name] = as_array(content, name, dtype, num_axes)
    return arrays
