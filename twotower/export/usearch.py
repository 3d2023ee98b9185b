"""Export to an approximate index of usearch, built as `refit.index` does; keys are positions."""

from pathlib import Path

import numpy as np

from twotower.common.arrays import Float32Array
from twotower.export.destination import Schema
from twotower.export.folder import FolderWriter
from twotower.export.npy import VECTORS, ArrayFile
from twotower.retrieval.approximate import build_index
from twotower.retrieval.graph import check_installed

INDEX = "index.usearch"


def open_usearch(place: str, schema: Schema) -> FolderWriter:
    """See `Destination.open`.

    Raises:
        ConfigError: if usearch is not installed.
    """
    check_installed()
    return FolderWriter(place, schema, "usearch", GraphFile)


class GraphFile:
    """An index of vectors that wait in a file until all are there."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._folder = folder
        self._waiting = ArrayFile(folder, schema)

    def add(self, vectors: Float32Array) -> None:
        """See `VectorFile`."""
        self._waiting.add(vectors)

    def finish(self) -> None:
        """See `VectorFile`."""
        self._waiting.finish()
        array = self._folder / VECTORS
        (self._folder / INDEX).write_bytes(build_index(np.load(array, mmap_mode="r")))
        array.unlink()
