"""Whether prepared files are still what the prepare stage wrote.

Of the files that a search reads, the vocabulary folder has the SHA-256, in a file of its own: their
bytes are part of the identity of studies. The pages of the other Parquet files have checksums.

DVC compares files by size and time before it computes a hash, and a stage that is run by hand asks
nobody; of single bits that change, two in five give other numbers without an error.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.bounded import one_line
from twotower.common.errors import DataError
from twotower.common.files import json_text, read_json, sha256_file

VOCABULARY = "vocabulary"
DIGESTS = "digests.json"
"""In the vocabulary folder: {path below data/prepared: SHA-256} of what a search reads."""


def write_digests(vocabulary: Path, beside: Iterable[Path]) -> None:
    """Write the file.

    Args:
        vocabulary: folder, with all other files that it will have.
        beside: files that will be beside that folder, wherever they are by now.
    """
    within = sorted(path for path in vocabulary.iterdir() if path.name != DIGESTS)
    files = {path.name: path for path in beside}
    files |= {f"{VOCABULARY}/{path.name}": path for path in within}
    text = json_text({name: sha256_file(path) for name, path in files.items()})
    (vocabulary / DIGESTS).write_bytes((text + "\n").encode())


def check_digests(prepared: Path) -> None:
    """Compare the files that a search reads with the file, if that is there.

    Raises:
        DataError: naming the first that is missing or differs.
    """
    path = prepared / VOCABULARY / DIGESTS
    if not path.exists():  # as older versions left it
        return
    with data_errors(path):
        expected: Mapping[str, str] = dict(read_json(path))
    for name, digest in expected.items():
        with data_errors(prepared / name):
            if sha256_file(prepared / name) != digest:
                msg = "its checksum is wrong"
                raise ValueError(msg)


def write_checked(handle: IO[bytes], table: pa.Table) -> None:
    """Write a Parquet file whose pages have checksums, with reproducible bytes.

    Args:
        handle: of the file.
        table: without metadata of pandas, which holds versions of libraries.
    """
    pq.write_table(table, handle, compression="zstd", write_page_checksum=True)


def read_checked(source: Path | IO[bytes], columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file, and compare the checksums of its pages, where they have one."""
    return pq.read_table(source, columns=columns, page_checksum_verification=True)


@contextmanager
def data_errors(path: Path) -> Iterator[None]:
    """Turn a missing or damaged file of prepared data into a DataError."""
    try:
        yield
    except FileNotFoundError:
        msg = f"{path}: no such file; run the prepare stage first (dvc repro prepare)"
        raise DataError(msg) from None
    except (
        *(pa.ArrowException, OSError, ValueError, KeyError, TypeError),
        *(AttributeError, TokenError),  # of pyarrow, for a column of another type, and numpy.load
    ) as error:
        msg = f"{path}: damaged, or not written by the prepare stage ({one_line(error)}); "
        raise DataError(msg + "run dvc repro -f -s prepare") from error
