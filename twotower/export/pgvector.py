"""Export to PostgreSQL with the extension pgvector: a table for each version, behind a view."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql

from twotower.common.bounded import one_line
from twotower.common.errors import ConfigError, ExportError
from twotower.common.secrets import has_password, without_credentials
from twotower.export.destination import POSITION, VECTOR, Batch, Kind, Schema

CONNECT = 15
"""Seconds to wait for a connection."""
WAIT = "1s"
"""For transactions that read the view or an old table: who comes after waits as long."""
TRIES = 30
"""Times that the view is swapped, until no transaction has it open."""
LONGEST = 63
"""Bytes of a name."""
INDEXABLE = 2000
"""Elements of a vector that pgvector can index, at most."""
TYPES = {
    Kind.TEXT: "text",
    Kind.CATEGORY: "text",
    Kind.CATEGORIES: "text[]",
    Kind.NUMBER: "double precision",
    Kind.INTEGER: "bigint",
    Kind.INTEGERS: "bigint[]",
}


def open_pgvector(url: str, schema: Schema) -> "TableWriter":
    """See `Destination.open`.

    Args:
        url: of a database, without a password: that is in $PGPASSWORD or ~/.pgpass.
        schema: what is exported.

    Raises:
        ConfigError: if the URL is none, or holds a password.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        msg = f"--url {without_credentials(url)}: must be postgresql://USER@HOST/DATABASE"
        raise ConfigError(msg)
    if has_password(url):
        msg = (
            f"--url {without_credentials(url)}: holds a password, which others see in the list of "
            "processes; leave it out, and set PGPASSWORD"
        )
        raise ConfigError(msg)
    for field in schema.fields:
        if len(field.name.encode()) > LONGEST:
            msg = f"{field.name}: PostgreSQL takes no names of columns over {LONGEST} bytes"
            raise ConfigError(msg)
    with _answering(url):
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT)
        try:
            return TableWriter(connection, url, schema)
        except BaseException:
            connection.close()
            raise


class TableWriter:
    """See `Writer`."""

    def __init__(self, connection: psycopg.Connection[Any], url: str, schema: Schema) -> None:
        self._connection, self._url, self._schema = connection, url, schema
        self._table = sql.Identifier(schema.target)
        self._previous = self._led_to()
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        if not self._exists(schema.target):
            self._create()
        self._checked_mark(schema.target)

    def is_current(self) -> bool:
        """See `Writer`."""
        return self._previous == self._schema.target

    def existing(self) -> int:
        """See `Writer`."""
        with _answering(self._url):
            return int(self._one(sql.SQL("SELECT count(*) FROM {}").format(self._table)))

    def write(self, batch: Batch) -> None:
        """See `Writer`: all rows of the batch or none are there."""
        delete = sql.SQL("DELETE FROM {} WHERE position BETWEEN %s AND %s").format(self._table)
        copy = sql.SQL("COPY {} FROM STDIN WITH (FORMAT BINARY)").format(self._table)
        types = [*(TYPES[field.kind] for field in self._schema.fields), VECTOR]
        columns = [column.to_pylist() for column in batch.columns.columns]
        with _answering(self._url), self._connection.transaction():
            self._connection.execute(delete, (batch.start, batch.start + len(batch) - 1))
            with self._connection.cursor().copy(copy) as rows:
                rows.set_types(types)
                for row in zip(*columns, batch.vectors, strict=True):
                    rows.write_row(row)

    def publish(self) -> None:
        """See `Writer`; builds an index of the vectors first, of those that are searched."""
        with _answering(self._url):
            if self._is_searched and not self._has_index():
                self._execute("CREATE INDEX ON {} USING hnsw (vector vector_ip_ops)")
            self._execute("ANALYZE {}")
            self._retry_swap()
            self._drop_older()

    def close(self) -> None:
        """See `Writer`."""
        self._connection.close()

    def _retry_swap(self) -> None:
        """Swap between two transactions of readers, without making others wait for long ones."""
        for left in reversed(range(TRIES)):
            try:
                with self._connection.transaction():
                    self._limit_wait()
                    self._swap()
                return
            except psycopg.errors.LockNotAvailable:
                if not left:
                    raise
                time.sleep(1)

    def _limit_wait(self) -> None:
        """For this transaction."""
        self._connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(WAIT))

    def _swap(self) -> None:
        """Let the view show this table; its privileges stay."""
        view = sql.Identifier(self._schema.name)
        select = sql.SQL("VIEW {} AS SELECT * FROM {}").format(view, self._table)
        try:
            with self._connection.transaction():
                self._connection.execute(sql.SQL("CREATE OR REPLACE ") + select)
        except (psycopg.errors.InvalidTableDefinition, psycopg.errors.DatatypeMismatch):
            grants = self._grants()  # the columns are others, so it must be another view
            self._connection.execute(sql.SQL("DROP VIEW {}").format(view))
            self._connection.execute(sql.SQL("CREATE ") + select)
            for role, privilege in grants:
                to = sql.Identifier(role) if role else sql.SQL("PUBLIC")
                grant = sql.SQL("GRANT {} ON {} TO {}")
                self._connection.execute(grant.format(sql.SQL(privilege), view, to))
        self._comment("VIEW", self._schema.name)

    def _grants(self) -> list[tuple[str | None, str]]:
        """Who may do what with the view; None: everybody."""
        query = (
            "SELECT pg_get_userbyid(NULLIF(grantee, 0)), privilege_type "
            "FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(%s) AND grantee <> relowner"
        )
        rows = self._connection.execute(query, (self._quoted(self._schema.name),))
        return [(role, privilege) for role, privilege in rows]

    def _drop_older(self) -> None:
        query = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        kept = {self._schema.target, self._previous}
        for (name,) in self._connection.execute(query).fetchall():
            if self._schema.is_version(name) and name not in kept and self._mark(name):
                self._drop(name)

    def _drop(self, name: str) -> None:
        """Drop a table; one that is still read, or that others' views show, stays for now."""
        try:
            with self._connection.transaction():
                self._limit_wait()
                self._connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
            return

    @property
    def _is_searched(self) -> bool:
        """Users are looked up by their ids; an index of a million takes PostgreSQL many minutes."""
        return self._schema.id.name == "item_id" and self._schema.dim <= INDEXABLE

    def _has_index(self) -> bool:
        query = "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%s)"
        return int(self._one(query, self._quoted(self._schema.target))) > 2  # id and position

    def _led_to(self) -> str | None:
        """The table that the view shows now; the view must be one of an export."""
        name = self._schema.name
        if not self._exists(name):
            return None
        return f"{name}_{self._checked_mark(name)['version']}"

    def _exists(self, name: str) -> bool:
        return self._one("SELECT to_regclass(%s)::text", self._quoted(name)) is not None

    def _mark(self, name: str) -> dict[str, str] | None:
        """What an export said of a table or view that it made; None of anything else."""
        query = "SELECT obj_description(to_regclass(%s), 'pg_class')"
        try:
            mark: dict[str, str] = json.loads(self._one(query, self._quoted(name)) or "{}")
            return mark if mark["made_by"] == self._schema.mark["made_by"] else None
        except (ValueError, KeyError, TypeError):
            return None

    def _checked_mark(self, name: str) -> dict[str, str]:
        mark = self._mark(name)
        if mark is None:
            msg = (
                f"{_where(self._url)}: {name} is there already, and was not made by twotower "
                "export; choose another --name"
            )
            raise ExportError(msg)
        return mark

    def _create(self) -> None:
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(TYPES[field.kind]))
            for field in self._schema.fields
        ]
        columns += [
            sql.SQL("vector vector({}) NOT NULL").format(self._schema.dim),
            sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(self._schema.id.name)),
            sql.SQL("UNIQUE ({})").format(sql.Identifier(POSITION)),
        ]
        create = sql.SQL("CREATE TABLE {} ({})").format(self._table, sql.SQL(", ").join(columns))
        with self._connection.transaction():
            self._connection.execute(create)
            self._comment("TABLE", self._schema.target)

    def _comment(self, kind: str, name: str) -> None:
        comment = sql.SQL("COMMENT ON {} {} IS {}")
        mark = json.dumps(self._schema.mark)
        self._connection.execute(comment.format(sql.SQL(kind), sql.Identifier(name), mark))

    def _execute(self, statement: str) -> None:
        self._connection.execute(sql.SQL(statement).format(self._table))

    def _one(self, query: Any, *values: object) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def _quoted(self, name: str) -> str:
        return sql.Identifier(name).as_string(self._connection)


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Failures of the server and the way to it, in a line."""
    try:
        yield
    except psycopg.Error as error:
        hint = ""
        if isinstance(error, psycopg.errors.LockNotAvailable):
            hint = "; a transaction that reads the view does not end: end it, and run this again"
        if isinstance(error, psycopg.errors.UndefinedFile | psycopg.errors.FeatureNotSupported):
            hint = "; the server lacks the extension pgvector"
        msg = f"{_where(url)}: PostgreSQL: {one_line(error)}{hint}"
        raise ExportError(msg) from None


def _where(url: str) -> str | None:
    return without_credentials(url)
