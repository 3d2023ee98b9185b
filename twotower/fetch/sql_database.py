"""Databases that SQLAlchemy reaches: PostgreSQL, SQLite, and others whose package is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from twotower.common.errors import ConfigError, DataError
from twotower.fetch.columns import to_table
from twotower.fetch.credentials import Address
from twotower.fetch.database import BATCH_ROWS, check_file, unreachable

POSTGRESQL = "postgresql"
CONNECT_SECONDS = 10
BEGINNINGS = {
    POSTGRESQL: ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                 "SET TIME ZONE 'UTC'"),
    "sqlite": ("PRAGMA query_only = ON", "BEGIN"),
}  # fmt: skip
"""What makes all queries see one state, and change nothing; times are in UTC on every machine."""


@contextmanager
def open_sql(url: URL, address: Address) -> Iterator["SqlDatabase"]:
    """Connect by the dialect that a URL names; see `open_database`."""
    if url.drivername in {POSTGRESQL, "postgres"}:  # libpq takes either
        url = url.set(drivername=f"{POSTGRESQL}+psycopg")
    backend = url.get_backend_name()
    if backend == "sqlite":
        check_file(url, address)
    limits = {"connect_timeout": CONNECT_SECONDS}
    try:
        engine = create_engine(url, connect_args=limits if backend == POSTGRESQL else {})
        connection = engine.connect()
    except NoSuchModuleError:
        msg = (
            f"data.source: SQLAlchemy cannot reach {url.drivername}: install the package of its "
            "dialect (docs/warehouses.md)"
        )
        raise ConfigError(msg) from None
    except ImportError as error:
        extra = 'pip install "twotower[postgres]"' if backend == POSTGRESQL else "install it"
        msg = f"data.source: a driver is missing ({address.explain(error)}): {extra}"
        raise ConfigError(msg) from None
    except (SQLAlchemyError, TypeError, ValueError) as error:
        raise unreachable(address, _cause(error)) from None
    try:
        with connection:
            for statement in BEGINNINGS.get(backend, ()):
                connection.exec_driver_sql(statement)
            yield SqlDatabase(connection, address)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class SqlDatabase:
    """See `twotower.fetch.database.Database`."""

    connection: Connection
    address: Address

    def column_names(self, sql: str) -> list[str]:
        """Of the result of a query."""
        with self._result(sql) as result:
            return list(result.keys())

    def batches(self, sql: str) -> Iterator[pa.Table]:
        """The result of a query, `BATCH_ROWS` rows at a time, by a cursor of the server."""
        with self._result(sql) as result:
            names = list(result.keys())
            for rows in result.partitions(BATCH_ROWS):
                yield to_table(names, rows)

    @contextmanager
    def _result(self, sql: str) -> Iterator[Any]:
        options = {"stream_results": True, "yield_per": BATCH_ROWS, "no_parameters": True}
        try:
            with self.connection.exec_driver_sql(sql, execution_options=options) as result:
                if not result.returns_rows:
                    msg = "not a SELECT: it gives no rows"
                    raise DataError(msg)
                yield result
        except (SQLAlchemyError, OverflowError) as error:
            raise DataError(self.address.explain(_cause(error))) from None


def _cause(error: BaseException) -> BaseException:
    """What the driver said, without SQLAlchemy's SQL and links."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
