"""`twotower fetch`: the tables of a database or of URLs, as files that stages can depend on."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.paths import PARAMS
from twotower.common.printable import printable_lines
from twotower.common.progress import step

if TYPE_CHECKING:
    from twotower.ingest.snapshot import Snapshot

SHOWN = 20
"""Columns that are named."""


@app.command(epilog=examples("twotower fetch", "twotower fetch --params mine.yaml"))
def fetch(
    params: Annotated[Path, typer.Option(help="File of parameters.")] = PARAMS,
) -> None:
    """Read what params.yaml says of a database or of URLs into data.root.

    Runs data.interactions.query (and those of users and items) on data.source, and copies files
    whose names are URLs. data.root then holds them and fetch.json, with queries, rows and digests,
    and nothing else; all tables are replaced, or none. The stages read this snapshot only.
    """
    with loading():
        from twotower.config import load_config
        from twotower.fetch.fetch import fetch as fetch_tables

    config = load_config(params)
    with step("fetch"):
        snapshot = fetch_tables(config.data)
    for line in _lines(snapshot, config.data.root):
        typer.echo(printable_lines(line))


def _lines(snapshot: "Snapshot", root: str) -> Iterator[str]:
    for role, table in snapshot.tables.items():
        place = f"{root}/{table.file}"
        if table.columns is None:
            files = len(table.digests)
            yield f"{role}: {place}" + (f", {files:,} files" if files > 1 else "")
            continue
        columns = list(table.columns)
        more = ", …" if len(columns) > SHOWN else ""
        yield f"{role}: {place}, {table.rows:,} rows of {', '.join(columns[:SHOWN])}{more}"
        if table.order:
            yield f"  sorted by {table.order}, as the query has no ORDER BY"
    yield f"{root}/fetch.json pins them; next: twotower check"
