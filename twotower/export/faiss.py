"""Export to an exact index of faiss; its labels are positions."""

from pathlib import Path

import faiss

from twotower.common.arrays import Float32Array
from twotower.export.destination import Schema
from twotower.export.folder import FolderWriter

INDEX = "index.faiss"


def open_faiss(place: str, schema: Schema) -> FolderWriter:
    """See `Destination.open`."""
    return FolderWriter(place, schema, "faiss", FlatIndex)


class FlatIndex:
    """An index that compares a query with every vector."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._path = folder / INDEX
        self._index = faiss.IndexFlatIP(schema.dim)

    def add(self, vectors: Float32Array) -> None:
        """See `VectorFile`."""
        self._index.add(vectors)

    def finish(self) -> None:
        """See `VectorFile`."""
        with self._path.open("xb") as handle:
            # Through Python's own file: faiss does not say that the disk is full.
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(handle.write))
