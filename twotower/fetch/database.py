"""A database that queries run on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from twotower.common.errors import ConfigError, DataError
from twotower.fetch.credentials import Address, fill_in

BATCH_ROWS = 1 << 16
"""Rows that are in memory at once."""
KEY = "data.source"


class Database(Protocol):
    """Of one connection, so that all queries see the same state where the database can do that."""

    def column_names(self, sql: str) -> list[str]:
        """Of the result of a query.

        Raises:
            DataError: of what the database says, in a line without secrets.
        """

    def batches(self, sql: str) -> Iterator[pa.Table]:
        """The result of a query, some rows at a time and in its order; none of no rows.

        Raises:
            DataError: see `column_names`; or if a column's values have no type in common.
        """


def open_database(source: str) -> AbstractContextManager[Database]:
    """Connect; the value of the context is the database.

    Args:
        source: `data.source`.

    Raises:
        ConfigError: if it is no URL, or the package for such a database is missing.
        DataError: if the database cannot be opened.
    """
    address = fill_in(source, KEY)
    try:
        url = make_url(address.url)
    except (SQLAlchemyError, ValueError):
        msg = f"{KEY}: not the URL of a database such as postgresql://user@host/database"
        raise ConfigError(msg) from None
    if url.get_backend_name() == "duckdb":
        from twotower.fetch.duckdb_database import open_duckdb

        return open_duckdb(url, address)
    from twotower.fetch.sql_database import open_sql

    return open_sql(url, address)


def check_file(url: URL, address: Address) -> None:
    """Refuse a database file that is not there: some drivers would make one.

    Raises:
        DataError: naming it.
    """
    from pathlib import Path

    name = url.database or ""
    if not Path(name).is_file():
        msg = f"{KEY}: {address.explain(f'{name or url.get_backend_name()}: no such file')}"
        raise DataError(msg)


def unreachable(address: Address, error: BaseException) -> DataError:
    """The error of a database that cannot be opened."""
    reason = address.explain(error)
    lacking = "password" in reason or "authentication" in reason
    hint = "; give the password in PGPASSWORD, ~/.pgpass, or as ${NAME} in data.source"
    return DataError(f"{KEY}: cannot connect: {reason}{hint if lacking else ''}")
