"""DuckDB: a file, or none for what its SQL reads from other files, buckets and databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy.engine import URL

from twotower.common.errors import ConfigError, DataError
from twotower.fetch.credentials import Address
from twotower.fetch.database import BATCH_ROWS, check_file, unreachable


@contextmanager
def open_duckdb(url: URL, address: Address) -> Iterator["DuckDB"]:
    """Open a file to be read only, or a database in memory; see `open_database`."""
    try:
        import duckdb
    except ImportError:
        msg = 'data.source: reading DuckDB needs a package: pip install "twotower[duckdb]"'
        raise ConfigError(msg) from None
    file = "" if url.database == ":memory:" else url.database or ""
    if file:
        check_file(url, address)
    try:
        connection = duckdb.connect(file or ":memory:", read_only=bool(file))
    except duckdb.Error as error:
        raise unreachable(address, error) from None
    with connection:
        connection.execute("SET TimeZone = 'UTC'")  # as params.yaml is read on any machine
        connection.execute("BEGIN TRANSACTION")
        yield DuckDB(connection, address)


@dataclass(frozen=True)
class DuckDB:
    """See `twotower.fetch.database.Database`."""

    connection: Any
    address: Address

    def column_names(self, sql: str) -> list[str]:
        """Of the result of a query."""
        with self._errors():
            return [str(name) for name in self._relation(sql).columns]

    def batches(self, sql: str) -> Iterator[pa.Table]:
        """The result of a query, `BATCH_ROWS` rows at a time but for the last."""
        with self._errors():
            waiting = None
            for batch in self._relation(sql).to_arrow_reader(BATCH_ROWS):
                table = pa.Table.from_batches([batch])
                waiting = pa.concat_tables([waiting, table]) if waiting else table
                while len(waiting) >= BATCH_ROWS:  # how many come at once depends on threads
                    yield waiting[:BATCH_ROWS]
                    waiting = waiting[BATCH_ROWS:]
            if waiting:
                yield waiting

    def _relation(self, sql: str) -> Any:
        relation = self.connection.sql(sql)
        if relation is None:
            msg = "not a SELECT: it gives no rows"
            raise DataError(msg)
        return relation

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            raise DataError(self.address.explain(error)) from None
