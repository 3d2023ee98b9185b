"""The whole of `twotower fetch`: queries and URLs to a snapshot in `data.root`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from twotower.common.errors import ConfigError, DataError
from twotower.common.files import TEMPORARY, sha256_file
from twotower.common.folders import atomic_folder
from twotower.common.paths import check_place
from twotower.common.progress import step, track
from twotower.config.data import DataConfig
from twotower.fetch.database import Database, open_database
from twotower.fetch.sql import Query
from twotower.fetch.table_file import write_rows
from twotower.fetch.urls import copy_url
from twotower.ingest.snapshot import RECORD, FetchedTable, Snapshot

SHOWN = 5
"""Files that a message names."""


def fetch(data: DataConfig) -> Snapshot:
    """Read all tables that have a query or a URL, and write them into `data.root`, or nothing.

    Args:
        data: section `data`.

    Returns:
        What fetch.json says.

    Raises:
        ConfigError: if nothing is to be fetched, `data.root` holds other files, or a package is
            missing.
        DataError: if a database or server does not answer, or refuses a query.
    """
    origins = data.origins
    if not origins:
        msg = "nothing to fetch: set data.source and data.interactions.query, or a URL as its file"
        raise ConfigError(msg)
    root = Path(data.root)
    check_place(root / RECORD)
    _check_own(root)
    with atomic_folder(root, RECORD) as folder:
        tables = dict(_copied(origins, folder))
        queries = {role: origin for role, origin in origins.items() if "query" in origin}
        if data.source and queries:
            with step("connecting"):
                opening = open_database(data.source)
            with opening as database:
                for role, origin in queries.items():
                    tables[role] = _queried(database, role, origin, folder)
        snapshot = Snapshot(tables)
        snapshot.write(folder)
    return snapshot


def _check_own(root: Path) -> None:
    """Refuse a folder with files that this did not write, and would take away."""
    if not root.is_dir():
        return
    snapshot = Snapshot.read(root)
    known = {RECORD} | (snapshot.files if snapshot else set())
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())
    others = sorted(name for name in files if name not in known and TEMPORARY not in name)
    if others:
        more = ", …" if len(others) > SHOWN else ""
        msg = (
            f"{root}: holds files that twotower fetch did not write ({', '.join(others[:SHOWN])}"
            f"{more}): set data.root to a folder of its own"
        )
        raise ConfigError(msg)


def _copied(
    origins: Mapping[str, Mapping[str, str]], folder: Path
) -> Iterator[tuple[str, FetchedTable]]:
    for role, origin in origins.items():
        if "url" in origin:
            with step(f"copying {role}"):
                name, files = copy_url(origin["url"], folder, role)
            yield role, FetchedTable(origin, name, _digests(folder, files))


def _queried(
    database: Database, role: str, origin: Mapping[str, str], folder: Path
) -> FetchedTable:
    query, name = Query.of(origin["query"]), f"{role}.parquet"
    with _errors_of(f"data.{role}.query"):
        sql, order = query.text, None
        if not query.is_ordered:
            order = "its columns"
            sql = query.sorted_by(len(database.column_names(query.without_rows)))
        rows = track(database.batches(sql), f"{role}: rows read", size=len, rate=True)
        num_rows, schema = write_rows(folder / name, rows)
    return FetchedTable(
        origin=origin,
        file=name,
        digests=_digests(folder, [name]),
        rows=num_rows,
        columns={each.name: str(each.type) for each in schema},
        order=order,
    )


@contextmanager
def _errors_of(key: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        msg = f"{key}: {error}"
        raise DataError(msg) from None


def _digests(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in names}
