"""What items are called: read for people alone, and kept where no model depends on it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.errors import DataError
from twotower.common.files import atomic_write

TITLES = "titles.parquet"
"""In the folder of prepared data: item_id, as there, and title."""


def write_titles(path: Path, ids: pa.Array, titles: pa.ChunkedArray | None) -> None:
    """Write the items that have a title, in the order of the table; the file may have no rows."""
    if titles is None:
        titles = pa.chunked_array([pa.nulls(len(ids), pa.string())])
    table = pa.table({"item_id": ids, "title": titles}).drop_null()
    with atomic_write(path) as handle:
        pq.write_table(table, handle, compression="zstd")


def item_titles(path: Path) -> dict[int | str, str]:
    """The title of each item that has one, by id.

    Raises:
        DataError: if the file is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=["item_id", "title"])
    except FileNotFoundError:
        msg = f"{path}: no such file; run the prepare stage first (dvc repro prepare)"
        raise DataError(msg) from None
    except (pa.ArrowException, OSError) as error:
        msg = f"{path}: damaged, or not written by the prepare stage ({error}); "
        raise DataError(msg + "run dvc repro -f -s prepare") from None
    return dict(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True))
