"""Files as an attacker would write them, by the file of a model folder whose place they take."""

import io
import pickle
import zipfile
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HEADERS = (
    ("<f4", "(1000000000000, 4)"),
    ("<i8", "(1152921504606846976,)"),
    ("<f4", "(-1, 4)"),
    ("<f4", "(9, 0)"),
    ("|O", "(9,)"),
    ("<f8", "(9, 4)"),
    (">f4", "(9, 4)"),
    ("<f4", "(__import__('os').system('false'), 4)"),
    ("<f4", "(" + "(" * 5000 + ")"),
    ("<f4", "(" + "9" * 5000 + ",)"),
)


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("exec('raise SystemExit(99)')",)


class Bomb:
    """Takes a terabyte when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (1 << 40,)


@cache
def hostile(name: str) -> tuple[bytes, ...]:
    """What may stand in the place of a file; nothing for files without an attack of their own."""
    suffix = name.rsplit(".", 1)[-1]
    if suffix == "npy":
        return *(_npy(*header) for header in HEADERS), _pickled_npy()
    if suffix == "pth":
        return *(_archive(*each) for each in ARCHIVES), pickle.dumps(Payload())
    if suffix == "parquet":
        return _parquet_bombs(name)
    return b"[" * 100_000, b'{"a":' * 100_000, b"null", b"[]", b"{}", b"9" * 5000


def _npy(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 64


def _pickled_npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


ARCHIVES: tuple[tuple[str, Any, int, int], ...] = (
    ("archive/", Payload(), 0, zipfile.ZIP_STORED),
    ("archive/", Bomb(), 0, zipfile.ZIP_STORED),
    ("archive/", {"weight": 5}, 0, zipfile.ZIP_STORED),
    ("archive/", {}, 1 << 26, zipfile.ZIP_DEFLATED),
    ("../../archive/", {}, 4, zipfile.ZIP_STORED),
)
"""Folder of the archive, what is pickled, bytes of a record, and how they are stored."""


def _archive(folder: str, pickled: Any, size: int, kind: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        archive.writestr(f"{folder}data.pkl", pickle.dumps(pickled, protocol=2))
        archive.writestr(f"{folder}byteorder", "little")
        archive.writestr(f"{folder}data/0", bytes(size))
        archive.writestr(f"{folder}version", "3\n")
    return buffer.getvalue()


def _parquet_bombs(name: str) -> tuple[bytes, ...]:
    key = "user_id" if "users" in name else "item_id"
    many = pa.array(np.zeros(10**6, np.int64))
    large = pa.DictionaryArray.from_arrays(pa.array(np.zeros(9, np.int32)), ["x" * (1 << 22)])
    lists = pa.array([[0] * 10**6, *([[]] * 8)], pa.list_(pa.int32()))
    tables = (
        {key: many},
        {key: large},
        {key: ["x" * (1 << 25)] * 9},
        {key: [b"x"] * 9},
        {key: [[1]] * 9},
        {key: [None] * 9},
        {key: list(range(9)), "feature:tags": lists},
        {"other": [1]},
    )
    return tuple(map(_parquet, tables))


def _parquet(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()
