"""What items are called: read for people alone, and kept where no model depends on it."""

from pathlib import Path

import pyarrow as pa

from twotower.common.files import atomic_write
from twotower.data.checksums import data_errors, read_checked, write_checked

TITLES = "titles.parquet"
"""In the folder of prepared data: item_id, as there, and title."""


def write_titles(path: Path, ids: pa.Array, titles: pa.ChunkedArray | None) -> None:
    """Write the items that have a title, in the order of the table; the file may have no rows."""
    if titles is None:
        titles = pa.chunked_array([pa.nulls(len(ids), pa.string())])
    table = pa.table({"item_id": ids, "title": titles}).drop_null()
    with atomic_write(path) as handle:
        write_checked(handle, table)


def item_titles(path: Path) -> dict[int | str, str]:
    """The title of each item that has one, by id.

    Raises:
        DataError: if the file is missing or damaged.
    """
    with data_errors(path):
        table = read_checked(path, ["item_id", "title"])
        return dict(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True))
