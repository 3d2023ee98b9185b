"""Where tables come from that are fetched: databases and URLs, without passwords."""

import re
from collections.abc import Mapping
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field

from twotower.common.secrets import has_password

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""Stands for an environment variable."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
SECRET_VARIABLE = re.compile(rf"[:=]{VARIABLE.pattern}(?=[@&#]|$)")
"""In the place of a password, or as the whole value of an option."""


class Table(Protocol):
    """The keys of a table that say where it comes from."""

    @property
    def query(self) -> str | None:
        """SQL, or None."""

    @property
    def file(self) -> str | None:
        """Name of a file, URL, or None."""


def is_url(text: str | None) -> bool:
    """Whether the name of a file is a URL."""
    return text is not None and URL.match(text) is not None


def check_no_password(text: str | None) -> str | None:
    """The text, unless it is a URL with a password.

    Raises:
        ValueError: saying where the password belongs.
    """
    if text and has_password(SECRET_VARIABLE.sub("", text)):
        msg = (
            "holds a password, which git would keep with params.yaml: write ${NAME} in its place, "
            "which stands for that environment variable (PGPASSWORD and ~/.pgpass work as well)"
        )
        raise ValueError(msg)
    return text


def _check_source(text: str) -> str:
    if not is_url(text) and not VARIABLE.fullmatch(text):
        msg = (
            "must be the URL of a database, such as postgresql://host/database, "
            "sqlite:///shop.db or duckdb:///shop.duckdb"
        )
        raise ValueError(msg)
    check_no_password(text)
    return text


DatabaseUrl = Annotated[str, AfterValidator(_check_source), Field(min_length=1)]


def check_alone(query: str | None, file: str | None, form: str | None) -> None:
    """Refuse a query beside what says how a file is read.

    Raises:
        ValueError: naming the two keys.
    """
    for key, value in (("file", file), ("format", form)):
        if query and value is not None:
            msg = f"query and {key} exclude each other: the rows of a query come as Parquet"
            raise ValueError(msg)


def origin_of(source: str | None, table: Table) -> dict[str, str]:
    """What a table is fetched from: `source` and `query`, or `url`; nothing of a local one."""
    if table.query:
        return {"source": source or "", "query": table.query.strip()}
    return {"url": table.file} if table.file and is_url(table.file) else {}


def check_origins(source: str | None, tables: Mapping[str, Table]) -> None:
    """Refuse queries without a database, and local files beside what is fetched.

    Raises:
        ValueError: naming the key.
    """
    fetched = [name for name, table in tables.items() if origin_of(source, table)]
    for name, table in tables.items():
        if table.query and not source:
            msg = f"{name}.query needs data.source, the URL of a database"
            raise ValueError(msg)
        if fetched and table.file and name not in fetched:
            msg = (
                f"{name}.file is local, but the {fetched[0]} are fetched into data.root, which "
                f"then holds nothing else: write {name}.file as a URL, file:///…/{table.file}"
            )
            raise ValueError(msg)
