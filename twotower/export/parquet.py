"""Export to one Parquet file, vectors as a column; read by DuckDB, Spark, pandas and others."""

from twotower.export.destination import Schema
from twotower.export.folder import FolderWriter


def open_parquet(place: str, schema: Schema) -> FolderWriter:
    """See `Destination.open`."""
    return FolderWriter(place, schema, "parquet")
