"""The array types that signatures name; the width of every number is in its name."""

from typing import Any

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
