"""Where a SQLite store of a checkout keeps artifacts, after the checkout was moved or copied.

MLflow keeps absolute locations: it makes relative ones absolute when an experiment is created, and
those that are written into its database it counts from wherever a program happens to run.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sqlalchemy.engine import make_url

from twotower.common.errors import TrackingError
from twotower.common.folders import atomic_folder, copy_files

MLRUNS = "mlruns"
"""Folder of the artifacts, in the checkout."""
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
"""Tables and columns of MLflow's database that hold locations of artifacts."""


@dataclass
class Relocation:
    """What `relocate` has changed.

    Attributes:
        places: folders of artifacts that the store named before.
        changed: number of locations that name this checkout's folder now.
        copied: number of folders that were in an earlier place only, and were copied here.
    """

    places: list[Path]
    changed: int = 0
    copied: int = 0


def check_locations(uri: str, locations: Iterable[str], root: Path) -> None:
    """Refuse to log to where this checkout was before.

    Args:
        uri: of the store.
        locations: of the artifacts of its experiments.
        root: of the repository.

    Raises:
        TrackingError: naming the command that repairs it.
    """
    database = database_of(uri, root)
    if database is None:
        return
    for place in _earlier_places(locations, database, root.absolute()):
        msg = (
            f"{database.name} names artifacts in {place}: this checkout was moved or copied; to "
            "have them here, run: twotower tracking relocate"
        )
        raise TrackingError(msg)


def relocate(uri: str, root: Path) -> Relocation:
    """Let a store whose checkout was moved or copied name the artifacts that are here.

    All locations change in one transaction, and only those in a folder where the checkout was
    before. What has been logged there since a copy was made is copied.

    Args:
        uri: of the store.
        root: of the repository.

    Raises:
        TrackingError: if the store is not a SQLite file in this checkout, or cannot be written.
    """
    database = database_of(uri, root)
    if database is None or not database.is_file():
        msg = "the MLflow store is not a SQLite file in this checkout: nothing to relocate"
        raise TrackingError(msg)
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            return _relocate(connection, database, root.absolute())
    except sqlite3.Error as error:
        msg = f"{database}: cannot be relocated, and is unchanged: {error}"
        raise TrackingError(msg) from None


def database_of(uri: str, root: Path) -> Path | None:
    """The SQLite file of the store, if it lies in the checkout."""
    if not uri.startswith("sqlite"):
        return None
    database = Path(make_url(uri).database or "")
    return database if database.is_relative_to(root.absolute()) else None


def _relocate(connection: sqlite3.Connection, database: Path, root: Path) -> Relocation:
    experiments = [location for _, location in _values(connection, *LOCATIONS[0])]
    done = Relocation(_earlier_places(experiments, database, root))
    for table, column in LOCATIONS:
        for row, value in _values(connection, table, column):
            before = _local_path(value)
            place = next((p for p in done.places if before and before.is_relative_to(p)), None)
            if before is None or place is None:
                continue
            after = root / MLRUNS / before.relative_to(place)
            statement = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
            connection.execute(statement, (after.as_uri(), row))
            done.changed += 1
            if table != "experiments" and _is_there(before) and not after.exists():
                with atomic_folder(after) as target:
                    copy_files(before, target)
                done.copied += 1
    return done


def _values(connection: sqlite3.Connection, table: str, column: str) -> list[tuple[int, str]]:
    query = f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608
    return connection.execute(query).fetchall()


def _earlier_places(locations: Iterable[str], database: Path, root: Path) -> list[Path]:
    """Folders of artifacts that the checkout had before; in the order of their names."""
    named = {_local_path(location) for location in locations}
    return sorted(p for p in named if p is not None and _is_earlier(p, database, root))


def _is_earlier(place: Path, database: Path, root: Path) -> bool:
    """Whether our experiments logged to `place` when the checkout was there.

    There is nothing left of it, or it has a store of its own; a folder that somebody chose for
    artifacts has neither.
    """
    if place.name != MLRUNS or place.parent == root:
        return False
    if not _is_there(place.parent):
        return True
    if place.parent.samefile(root):
        return False
    return not _is_there(place) or _is_there(place.parent / database.relative_to(root))


def _is_there(path: Path) -> bool:
    """Whether the path exists, for this user."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _local_path(location: str) -> Path | None:
    """The path of a local location, read as MLflow reads it; None for others."""
    parts = urlsplit(location)
    if parts.scheme not in ("", "file"):
        return None
    return Path(url2pathname(parts.path if parts.scheme else location))
