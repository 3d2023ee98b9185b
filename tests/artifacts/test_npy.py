"""Arrays, and what claims to be one."""

import io
import pickle
from typing import Any

import numpy as np
import pytest

from twotower.artifacts.npy import as_array


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def read(content: bytes, dtype: str = "<f4", num_axes: int = 2) -> np.ndarray:
    return as_array(np.frombuffer(content, np.uint8), "x.npy", dtype, num_axes)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.arange(5, dtype=np.int64),
        np.empty(0, np.int64),
        np.empty((0, 3), np.float32),
    ],
)
def test_an_array_is_read_as_numpy_reads_it(array: np.ndarray) -> None:
    again = read(saved(array), array.dtype.str, array.ndim)
    assert np.array_equal(again, array)
    assert again.dtype == array.dtype
    assert again.shape == array.shape


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


def header(shape: str, descr: str = "<f4", length: int = 128) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(length - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


ONES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(np.array([[Payload()]], dtype=object)), "holds |O of shape (1, 1), expected <f4"),
        (pickle.dumps(Payload()), "no array as numpy.save writes it"),
        (saved(ONES.T), "in Fortran order"),
        (saved(ONES.astype(np.float64)), "holds <f8"),
        (saved(ONES.astype(">f4")), "holds >f4"),
        (saved(ONES[0]), "of shape (3,), expected <f4 of 2 axes"),
        (saved(ONES)[:-1], "has 151 bytes, its header needs 152"),
        (saved(ONES) + b"0", "has 153 bytes, its header needs 152"),
        (header("(1000000000000, 64)"), "its header needs 256,000,000,000,128"),
        (header("(4611686018427387904, 4)"), "its header needs 73,786,976,294,838,206,592"),
        (header("(2, 3)", length=130) + bytes(24), "no array"),  # numbers between the numbers
        (header("(-1, 4)"), "no array"),
        (header("(__import__('os').abort(), 4)"), "no array"),
        (header("(" * 900), "no array"),
        (header("(" + "9" * 5000 + ",)"), "no array"),
        (b"", "no array"),
    ],
)
def test_anything_else_is_refused_and_never_run(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=r"x\.npy") as caught:
        read(content)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200
