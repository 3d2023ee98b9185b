"""Arrays in the one form that `write_artifacts` gives them; nothing in a header is evaluated."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts.content import HEADER as LENGTH
from twotower.artifacts.content import Bytes

HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|=\w]{1,8})', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]{0,80})\), \} *\n",
    re.DOTALL,
)


def as_array(content: Bytes, name: str, dtype: str, num_axes: int) -> NDArray[Any]:
    """The array in the bytes of a .npy file, in place; it is as long as its header says.

    Args:
        content: of the file.
        name: of the file, for messages.
        dtype: that it must have, as numpy writes it: "<f4".
        num_axes: that it must have.

    Raises:
        ValueError: if it is no such array.
    """
    start = content[:LENGTH].tobytes()
    header = HEADER.match(start)
    length = int.from_bytes(start[8:10], "little") + 10
    if header is None or not header.end() == length == LENGTH:
        msg = f"{name} is no array as numpy.save writes it"
        raise ValueError(msg)
    kind, fortran, axes = (group.decode() for group in header.groups())
    shape = tuple(int(axis) for axis in axes.split(",") if axis.strip())
    if kind != dtype or fortran == "True" or len(shape) != num_axes:
        order = " in Fortran order" if fortran == "True" else ""
        msg = f"{name} holds {kind} of shape {shape}{order}, expected {dtype} of {num_axes} axes"
        raise ValueError(msg)
    expected = length + math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        msg = f"{name} has {len(content):,} bytes, its header needs {expected:,}"
        raise ValueError(msg)
    values: NDArray[Any] = content[length:].view(dtype).reshape(shape)
    return values
