"""The snapshot that `twotower fetch` writes into `data.root`: what it holds, and whether it fits.

Stages read files only; `fetch.json` says what they were fetched from, and pins their bytes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from twotower.common.errors import DataError
from twotower.common.files import (
    check_seal,
    read_json,
    sealed,
    sha256_file,
    write_json,
)
from twotower.config.data import DataConfig
from twotower.ingest.open_file import part_files

RECORD = "fetch.json"
FORMAT_VERSION = 1
FETCH = "twotower fetch"


@dataclass(frozen=True)
class FetchedTable:
    """One table of a snapshot.

    Attributes:
        origin: `source` and `query`, or `url`, as params.yaml has them.
        file: its name in the snapshot, of a file or of a folder of part files.
        digests: SHA-256 of each of its files, by path inside the snapshot.
        rows: of a query; None: not counted.
        columns: of a query, their types by name; None: not known.
        order: of a query: what its rows are sorted by; None: as the files have them.
    """

    origin: Mapping[str, str]
    file: str
    digests: Mapping[str, str]
    rows: int | None = None
    columns: Mapping[str, str] | None = None
    order: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """What fetch.json says.

    Attributes:
        tables: by role: interactions, users, items.
    """

    tables: Mapping[str, FetchedTable] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "Snapshot | None":
        """That of a folder; None: it has none.

        Raises:
            DataError: if the file is damaged, or of another version.
        """
        path = root / RECORD
        try:
            content = read_json(path)
            check_seal(content)
            version, tables = content["format_version"], content["tables"]
            if version == FORMAT_VERSION:
                return cls({name: FetchedTable(**table) for name, table in tables.items()})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path}: damaged ({error}); run {FETCH}, or take it from DVC: dvc checkout"
            raise DataError(msg) from None
        msg = (
            f"{path}: of format_version {version!r}, this twotower reads {FORMAT_VERSION}; {FETCH}"
        )
        raise DataError(msg)

    def write(self, root: Path) -> None:
        """Write fetch.json into a folder."""
        tables = {name: _present(table) for name, table in self.tables.items()}
        write_json(root / RECORD, sealed({"format_version": FORMAT_VERSION, "tables": tables}))

    @property
    def files(self) -> set[str]:
        """Paths of all files of the tables."""
        return {name for table in self.tables.values() for name in table.digests}


def pinned(data: DataConfig) -> DataConfig:
    """The section with what was fetched as files of `data.root`; the same if nothing is.

    Raises:
        DataError: if the snapshot is missing, damaged, or of other queries or URLs.
    """
    origins = data.origins
    if not origins:
        return data
    root = Path(data.root)
    snapshot = Snapshot.read(root)
    if snapshot is None:
        key = _key(next(iter(origins.items())))
        msg = f"{root}: nothing is there that was fetched, as {key} needs; run: {FETCH}"
        raise DataError(msg)
    changed = [name for name in data.tables if _differs(snapshot, origins, name)]
    if changed:
        msg = (
            f"{root / RECORD}: the {changed[0]} were fetched by another query or URL than "
            f"params.yaml has now; run: {FETCH}"
        )
        raise DataError(msg)
    for table in snapshot.tables.values():
        _check_files(root, table)
    return data.model_copy(
        update={
            name: getattr(data, name).model_copy(update={"file": table.file, "query": None})
            for name, table in snapshot.tables.items()
        }
    )


def fetched_here(folder: Path, data: DataConfig) -> set[str]:
    """Roles whose tables in a folder are what the section fetches; none of another folder.

    Raises:
        DataError: if the folder's fetch.json is damaged.
    """
    snapshot, origins = Snapshot.read(folder), data.origins
    if snapshot is None:
        return set()
    return {name for name in origins if not _differs(snapshot, origins, name)}


def _differs(snapshot: Snapshot, origins: Mapping[str, Mapping[str, str]], name: str) -> bool:
    table = snapshot.tables.get(name)
    return (table.origin if table else None) != origins.get(name)


def _check_files(root: Path, table: FetchedTable) -> None:
    """Refuse files that are missing, others than were fetched, or more."""
    there = {path.relative_to(root).as_posix() for path in part_files(root / table.file)}
    for name in sorted(there | table.digests.keys()):
        path = root / name
        if not path.is_file() or sha256_file(path) != table.digests.get(name):
            msg = (
                f"{path}: not what was fetched: its SHA-256 is not that in {root / RECORD}; "
                f"run {FETCH}, or take it from DVC: dvc checkout"
            )
            raise DataError(msg)


def _key(origin: tuple[str, Mapping[str, str]]) -> str:
    name, found = origin
    return f"data.{name}.{'query' if 'query' in found else 'file'}"


def _present(table: FetchedTable) -> dict[str, Any]:
    return {key: value for key, value in asdict(table).items() if value is not None}
