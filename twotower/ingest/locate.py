"""Where the interactions are: files, and the columns in them."""

from pathlib import Path

from twotower.common.errors import ConfigError, DataError
from twotower.config.data import DataConfig, SplitConfig
from twotower.data.prepared import SPLITS
from twotower.ingest.recognise import (
    FILES,
    find_column,
    find_file,
    listing,
    named_column,
    named_file,
    require_column,
)
from twotower.ingest.rows import UNSPLIT
from twotower.ingest.source import Source


def interaction_files(root: Path, data: DataConfig, split: SplitConfig) -> list[tuple[int, Path]]:
    """(position in SPLITS or UNSPLIT, path) of every interactions file.

    Raises:
        DataError: if a file is missing.
        ConfigError: if the strategy is `given` and the split is not, or twice.
    """
    if split.strategy == "given":
        named = {name: getattr(split.files, name) for name in SPLITS}
        if any(named.values()) == bool(split.column):
            msg = "split.strategy: given needs either split.files or split.column"
            raise ConfigError(msg)
        if not split.column:
            if not named["train"]:
                msg = "split.files.train: split.strategy given needs a file of training rows"
                raise ConfigError(msg)
            return [
                (SPLITS.index(name), named_file(root, file, f"split.files.{name}"))
                for name, file in named.items()
                if file
            ]
    path = find_file(root, "interactions", data.interactions.file)
    if path is None:
        usual = ", ".join(f"{stem}.csv" for stem in FILES["interactions"])
        msg = (
            f"{root}: no interactions file ({usual} or the like); set data.interactions.file; "
            f"the folder holds: {listing(root)}"
        )
        raise DataError(msg)
    return [(UNSPLIT, path)]


def interaction_roles(source: Source, data: DataConfig, split: SplitConfig) -> dict[str, str]:
    """Column of each role that the file has: user, item, timestamp, event, weight, split.

    Raises:
        DataError: if a column is missing, or several could be the one.
    """
    prefix = "data.interactions.columns"
    columns = data.interactions.columns
    roles = {
        "user": require_column(source, "user", columns.user, f"{prefix}.user"),
        "item": require_column(source, "item", columns.item, f"{prefix}.item"),
    }
    for role in ("timestamp", "event", "weight"):
        found = find_column(source, role, getattr(columns, role), f"{prefix}.{role}")
        if found is not None:
            roles[role] = found
    if split.strategy == "given" and split.column:
        roles["split"] = named_column(source, split.column, "split.column")
    return roles
