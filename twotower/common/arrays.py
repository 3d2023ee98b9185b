"""The array types that signatures name, the width of every number in its name; saving an array."""

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Int8Array = NDArray[np.int8]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.signedinteger[Any]]
"""Of any width: a code of 32 bits in each of many rows, or a number of 64."""
FloatArray = NDArray[np.floating[Any]]
"""Of either width, where a function keeps that of its argument."""


def save_array(handle: IO[bytes], array: NDArray[Any]) -> None:
    """Write what `numpy.save` writes to a file, row by row.

    To a file itself it writes by a C function, whose error does not say that the disk is full.
    """
    np.lib.format.write_array(_Unnumbered(handle), np.ascontiguousarray(array), allow_pickle=False)


class _Unnumbered:
    """A handle of which nobody asks the number of its file."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.write = handle.write
