"""Which files hold the interactions, and which columns."""

from collections.abc import Mapping
from pathlib import Path

from twotower.common.errors import ConfigError, DataError
from twotower.config.data import DataConfig
from twotower.config.splitting import SplitConfig
from twotower.data.prepared import SPLITS
from twotower.data.splits import SPLIT_STRATEGIES, UNSPLIT
from twotower.ingest.open_file import part_files
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import (
    find_column,
    find_file,
    is_named,
    listing,
    named_column,
    named_file,
    require_column,
)
from twotower.ingest.sources.source import Source
from twotower.ingest.usual_names import FILES, column_tiers


def interaction_files(
    root: Path, data: DataConfig, split: SplitConfig, problems: Problems
) -> list[tuple[int, Path]]:
    """(position in SPLITS or UNSPLIT, path) of every interactions file.

    Args:
        root: folder of the raw files.
        data: section `data`.
        split: section `split`.
        problems: collects files of a given split that are missing, or of another split already.

    Raises:
        DataError: if the only file is missing.
        ConfigError: if the strategy is `given` and the split is not, or twice.
    """
    if SPLIT_STRATEGIES[split.strategy].is_given:
        named = {name: getattr(split.files, name) for name in SPLITS}
        if any(named.values()) == bool(split.column):
            msg = f"split.strategy: {split.strategy} needs either split.files or split.column"
            raise ConfigError(msg)
        if not split.column:
            if not named["train"]:
                msg = f"split.files.train: required by split.strategy: {split.strategy}"
                raise ConfigError(msg)
            return _given_files(root, named, problems)
    path = find_file(root, "interactions", data.interactions.file)
    if path is None:
        usual = ", ".join(f"{stem}.csv" for stem in FILES["interactions"])
        msg = (
            f"{root}: no interactions file (looked for {usual} and other formats); set "
            f"data.interactions.file; the folder contains: {listing(root)}"
        )
        raise DataError(msg)
    return [(UNSPLIT, path)]


def _given_files(
    root: Path, named: Mapping[str, str | None], problems: Problems
) -> list[tuple[int, Path]]:
    files: list[tuple[int, Path]] = []
    for name, file in named.items():
        if file is None:
            continue
        with problems.collected():
            path = named_file(root, file, f"split.files.{name}")
            for other, earlier in files:
                if set(part_files(path)) & set(part_files(earlier)):
                    msg = f"split.files: {file} is used for both {SPLITS[other]} and {name}"
                    raise ConfigError(msg)
            files.append((SPLITS.index(name), path))
    return files


def interaction_roles(
    source: Source, data: DataConfig, split: SplitConfig, problems: Problems
) -> dict[str, str] | None:
    """Column of each role that the file has: user, item, timestamp, event, weight, split.

    None without a column of users or of items.

    Args:
        source: of interactions.
        data: section `data`.
        split: section `split`.
        problems: collects columns that are missing or ambiguous.

    Raises:
        DataError: if users and items have the same column, or names of columns are data.
    """
    prefix = "data.interactions.columns"
    columns = data.interactions.columns
    roles: dict[str, str] = {}
    for role in ("user", "item"):
        with problems.collected():
            name, key = getattr(columns, role), f"{prefix}.{role}"
            roles[role] = require_column(source, role, name, key)
    if len(roles) < 2:
        return None
    if roles["user"] == roles["item"]:
        msg = f"{source.name}: {prefix}: user and item are the same column, {roles['user']!r}"
        raise DataError(msg)
    for role in ("timestamp", "event", "weight"):
        with problems.collected():
            column = find_column(source, role, getattr(columns, role), f"{prefix}.{role}")
            if column is not None:
                roles[role] = column
            elif role == "timestamp":
                _check_times(source, split)
    if SPLIT_STRATEGIES[split.strategy].is_given and split.column:
        with problems.collected():
            roles["split"] = named_column(source, split.column, "split.column")
    _check_header(source, roles)
    return roles


def _check_times(source: Source, split: SplitConfig) -> None:
    """Refuse to split by time without a column of times."""
    strategy = SPLIT_STRATEGIES[split.strategy]
    if strategy.needs_times:
        key, value = "split.strategy", strategy.name
    elif split.ties == "together" and not strategy.is_given:
        key, value = "split.ties", "together"
    else:
        return
    msg = (
        f"{source.name}: {key}: {value} needs the time of each event; "
        f"set data.interactions.columns.timestamp or choose another {key}"
    )
    raise DataError(msg)


def _check_header(source: Source, roles: Mapping[str, str]) -> None:
    """Refuse columns that are called by the first row of a file without a header.

    A column beside them may be called 2024, but where it has a number or date just like its name
    and neither users nor items have a usual name, all names are data.
    """
    values = [f"{role} column {c!r}" for role, c in roles.items() if c in source.values_in_header]
    usual = (
        is_named(roles[side], names) for side in ("user", "item") for names in column_tiers(side)
    )
    if not values and source.like_the_first_row and not any(usual):
        values = [f"column {c!r}" for c in source.header if c in source.like_the_first_row]
    if values:
        msg = (
            f"{source.name}: is there a header? The {values[0]} has a value for its name; if so, "
            "set data.header: false, and give the columns by their position"
        )
        raise DataError(msg)
