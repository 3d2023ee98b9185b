"""Export to an array of numpy."""

from pathlib import Path

import numpy as np

from twotower.common.arrays import Float32Array
from twotower.export.destination import Schema
from twotower.export.folder import FolderWriter

VECTORS = "vectors.npy"


def open_npy(place: str, schema: Schema) -> FolderWriter:
    """See `Destination.open`."""
    return FolderWriter(place, schema, "npy", ArrayFile)


class ArrayFile:
    """A file as `numpy.save` writes it, of [count, dim] float32."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._handle = (folder / VECTORS).open("xb")
        header = {
            "descr": "<f4",
            "fortran_order": False,
            "shape": (schema.count, schema.dim),
        }
        np.lib.format.write_array_header_1_0(self._handle, header)

    def add(self, vectors: Float32Array) -> None:
        """See `VectorFile`."""
        self._handle.write(vectors.astype("<f4", copy=False).data)

    def finish(self) -> None:
        """See `VectorFile`."""
        self._handle.close()
