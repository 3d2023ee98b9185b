"""Finds files, columns, features and events by their usual names.

A name in params.yaml is used as it is. Only if it is null are the usual names tried, ignoring case,
accents, and how words are joined; two candidates are an error, because a guess could be wrong.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from twotower.common.errors import DataError
from twotower.config.raw_files import FORMATS
from twotower.ingest.open_file import part_files
from twotower.ingest.sources.source import Source
from twotower.ingest.usual_names import (
    COLUMNS,
    EVENTS,
    FEATURES,
    FILES,
    WIDER_FILES,
    column_tiers,
    table_tiers,
)

T = TypeVar("T")
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a word begins in camelCase, as in userId and IDUsuario."""
LONGEST = 200
"""Characters of a usual name, generously: a file that is no table may be one name of megabytes."""
TYPE = re.compile(r":(token|token_seq|float|float_seq)$")
"""What RecBole's headers append to a name."""


def normalise(name: str) -> str:
    """The name in small letters, without accents, its words joined by _.

    " Puntuación" → "puntuacion", "User-ID" and "userId" → "user_id".
    """
    words = CAPITAL.sub("_", TYPE.sub("", name.strip()))
    decomposed = unicodedata.normalize("NFKD", words.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub("[-_ ]+", "_", plain)


def is_named(name: str, usual: tuple[str, ...]) -> bool:
    """Whether a name is one of the usual ones, however it joins its words: itemid is item_id."""
    return len(name) <= LONGEST and _letters(normalise(name)) in _all_letters(usual)


@lru_cache
def _all_letters(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_letters, names))


def _letters(name: str) -> str:
    return name.replace("_", "")


def find_file(root: Path, role: str, configured: str | None) -> Path | None:
    """Path of the interactions, users or items file, or folder of part files; None if none.

    Args:
        root: folder of the raw files.
        role: "interactions", "users" or "items".
        configured: its name in params.yaml; None: recognised; "": none.

    Raises:
        DataError: if a configured file is missing or outside `root`, or several are recognised.
    """
    if configured is not None:
        return named_file(root, configured, f"data.{role}.file") if configured else None
    paths = sorted(root.iterdir())
    matches = _first_tier(
        (path for path in paths if is_folder == path.is_dir() and is_named(stem_of(path), names))
        for names in (FILES[role], WIDER_FILES[role])
        for is_folder in (False, True)
    )
    if len(matches) > 1:
        candidates = ", ".join(path.name for path in matches)
        msg = f"{root}: more than one {role} file: {candidates}; set data.{role}.file"
        raise DataError(msg)
    return matches[0] if matches else None


def stem_of(path: Path) -> str:
    """The name of a file without the extension of its format and .gz; "" for other extensions.

    A folder has its own name if its files have such extensions: then they are part files.
    """
    if path.is_dir():
        parts = part_files(path)
        return path.name if parts and all(map(stem_of, parts)) else ""
    name = path.name.removesuffix(".gz").removesuffix(".GZ")
    extension = Path(name).suffix
    known = {extension for row in FORMATS.values() for extension in row.extensions}
    return name.removesuffix(extension) if extension.lower() in known else ""


def named_file(root: Path, name: str, parameter: str) -> Path:
    """Path of a file that params.yaml names, of a folder of part files, or a pattern.

    Raises:
        DataError: if it is missing, or lies outside `root`, where DVC would not see it change.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        msg = f"{parameter}: must be inside data.root ({root}), got {name!r}"
        raise DataError(msg)
    if not part_files(root / name):
        msg = f"{root / name}: no such file ({parameter}); {root} contains: {listing(root)}"
        raise DataError(msg)
    return root / name


def listing(root: Path) -> str:
    """The names of the files in a folder, for a message."""
    return _join([path.name for path in sorted(root.iterdir())])


def find_column(source: Source, role: str, configured: str | None, parameter: str) -> str | None:
    """Name of the column that has a role; None if there is none.

    Args:
        source: of the column.
        role: a key of COLUMNS in usual_names.py.
        configured: its name in params.yaml; None: recognised; "": none.
        parameter: the key of params.yaml that names it, for messages.

    Raises:
        DataError: if a configured column is missing, or several are recognised.
    """
    if configured is not None:
        return named_column(source, configured, parameter) if configured else None
    return _only(source, column_tiers(role), role, parameter)


def require_column(source: Source, role: str, configured: str | None, parameter: str) -> str:
    """As `find_column`, for a required column.

    Raises:
        DataError: also if none is recognised.
    """
    column = find_column(source, role, configured, parameter)
    if column is None:
        msg = f"{source.name}: cannot find the {role} column; set {parameter}; {columns_of(source)}"
        raise DataError(msg)
    return column


def require_id(source: Source, role: str, configured: str | None) -> str:
    """Name of the column of ids in a table.

    Args:
        source: the table.
        role: "users" or "items".
        configured: the column's name in params.yaml; None: recognised.

    Raises:
        DataError: if a configured column is missing, or not exactly one is recognised.
    """
    parameter = f"data.{role}.id"
    if configured is not None:
        return named_column(source, configured, parameter)
    singular = role.removesuffix("s")
    column = _only(source, table_tiers(singular), "id", parameter)
    if column is None:
        usual = ", ".join(COLUMNS[singular][:3])
        msg = (
            f"{source.name}: cannot find the id column ({usual}, …); set {parameter}; "
            f"{columns_of(source)}"
        )
        raise DataError(msg)
    return column


def named_column(source: Source, name: str, parameter: str) -> str:
    """The column that params.yaml names.

    Raises:
        DataError: if the source lacks it.
    """
    if name not in source.header:
        msg = f"{source.name}: no column {name!r} ({parameter}); {columns_of(source)}"
        raise DataError(msg)
    return name


def find_feature(
    source: Source, feature: str, parameter: str, *, optional: bool = False
) -> str | None:
    """Name of a declared feature's column: that of the feature, or a translation of it.

    Args:
        source: the table.
        feature: as declared.
        parameter: the key of params.yaml that declares it, for messages.
        optional: whether the result may be None.

    Raises:
        DataError: if no column has that name, or several have a translation of it.
    """
    if feature in source.header:
        return feature
    names = next((group for group in FEATURES if is_named(feature, group)), (normalise(feature),))
    column = _only(source, [names], f"feature {feature!r}", parameter)
    if column is None and not optional:
        msg = f"{source.name}: no column for feature {feature!r} ({parameter}); "
        raise DataError(msg + columns_of(source))
    return column


def event_weights(events: Sequence[str], configured: Mapping[str, float]) -> list[float | None]:
    """Weight of each event type; None for an unknown one.

    Args:
        events: distinct spellings in the data.
        configured: `data.event_weights`; an exact match there takes precedence over translations.
    """
    types = (event_type(event, configured) for event in events)
    return [None if name is None else configured[name] for name in types]


def event_type(event: str, configured: Iterable[str]) -> str | None:
    """The event type of `configured` that a spelling in the data names; None: none, or several."""
    if event in configured:
        return event
    names = next((group for group in EVENTS if is_named(event, group)), (normalise(event),))
    matches = [key for key in configured if is_named(key, names)]
    return matches[0] if len(matches) == 1 else None


def _only(
    source: Source, tiers: Iterable[tuple[str, ...]], what: str, parameter: str
) -> str | None:
    matches = _first_tier(
        (column for column in source.header if is_named(column, names)) for names in tiers
    )
    if len(matches) > 1:
        candidates = _join(matches)
        msg = f"{source.name}: more than one {what} column: {candidates}; set {parameter}"
        raise DataError(msg)
    return matches[0] if matches else None


def _first_tier(tiers: Iterable[Iterable[T]]) -> list[T]:
    """The candidates of the first tier that has any."""
    return next(filter(None, map(list, tiers)), [])


def columns_of(source: Source) -> str:
    """The column names, for a message."""
    text = f"available columns: {_join(source.header)}"
    if source.values_in_header:
        text += " (is there a header? If these are data, set data.header: false)"
    few = {1: "one", 2: "two"}.get(len(source.header)) if not source.typed else None
    return text + (f" (only {few}; check data.separator)" if few else "")


def _join(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(" ".join(name.split()) for name in names[:limit]) or "none"
    return shown + (", …" if len(names) > limit else "")
