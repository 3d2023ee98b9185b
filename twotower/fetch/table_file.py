"""Rows of a query as a Parquet file with reproducible bytes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.bounded import one_line, shown
from twotower.common.errors import DataError
from twotower.common.folders import staged
from twotower.data.prepared import write_row_groups
from twotower.fetch.columns import storable


def write_rows(path: Path, batches: Iterable[pa.Table]) -> tuple[int, pa.Schema]:
    """Write a result, some rows at a time: one batch is in memory.

    The type of a column is that of all its values, which only the last batch tells: batches wait
    in files of their own.

    Args:
        path: of the file.
        batches: of the result.

    Returns:
        The number of rows, and the schema.

    Raises:
        DataError: if there are no rows, two columns share a name, or batches differ in a type.
    """
    with staged(path.parent, path) as folder:
        parts: list[Path] = []
        schemas, num_rows = [], 0
        for table in batches:
            _check_names(table.column_names)
            parts.append(folder / f"{len(parts)}.parquet")
            with _arrow_errors():
                pq.write_table(table, parts[-1])
            schemas.append(table.schema)
            num_rows += len(table)
        if not parts:
            msg = "no rows"
            raise DataError(msg)
        schema = _common(schemas)
        write_row_groups(path, schema, _cast(parts, schema))
    return num_rows, schema


def _check_names(names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"two columns are called {shown(repeated[0])}: rename one with AS"
        raise DataError(msg)


def _common(schemas: list[pa.Schema]) -> pa.Schema:
    """A schema that holds the values of all."""
    with _arrow_errors():
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    return pa.schema([pa.field(each.name, storable(each.type)) for each in schema])


def _cast(parts: list[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    for part in parts:
        with _arrow_errors():
            table = pq.read_table(part).cast(schema)
        yield table


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """Types that Parquet lacks, or that hold no values of another batch."""
    try:
        yield
    except pa.ArrowException as error:
        msg = f"{one_line(error)}: cast the column in the query"
        raise DataError(msg) from None
