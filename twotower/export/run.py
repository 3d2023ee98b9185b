"""An export: from a model folder to a destination, going on where a run was cut short."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from twotower.artifacts import Artifacts, load_artifacts, version_of
from twotower.common.bounded import shown
from twotower.common.errors import ArtifactError, ConfigError, ExportError
from twotower.common.progress import step, track
from twotower.export.destination import Destination, TowersFormat, Writer
from twotower.export.rows import Rows, item_rows, user_rows

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What every destination takes as a name, with a version behind it."""
Say = Callable[[str], None]


def open_model(folder: Path, *, verify: bool = True) -> tuple[Artifacts, str]:
    """A model and its SHA-256, which `version_of` gives.

    Raises:
        ArtifactError: if the folder is no model, or is replaced at the same time.
    """
    before = _version(folder)
    artifacts = load_artifacts(folder, verify=verify)
    if before != _version(folder):
        msg = f"{folder}: the model was replaced while it was read; run this again"
        raise ArtifactError(msg)
    return artifacts, before


def make_rows(
    artifacts: Artifacts, model: str, vectors: str, name: str, titles: Path | None
) -> Rows:
    """The rows of an export.

    Args:
        artifacts: the model.
        model: its SHA-256.
        vectors: "items" or "users".
        name: see `Schema`.
        titles: of items, see `item_rows`.

    Raises:
        ConfigError: if the name is not one that all destinations take.
        DataError: if the titles cannot be read.
    """
    if not NAME.fullmatch(name):
        msg = (
            f"--name {shown(name)}: must be of lower-case letters, digits and underscores, at most "
            "40, and begin with a letter"
        )
        raise ConfigError(msg)
    if vectors == "users":
        rows = user_rows(artifacts, name, model)
    else:
        rows = item_rows(artifacts, name, model, titles)
    if not rows.schema.count:
        msg = f"{artifacts.folder}: the model has no {vectors}, so there is nothing to export"
        raise ConfigError(msg)
    return rows


def export_rows(rows: Rows, destination: Destination, place: str, folder: Path, say: Say) -> None:
    """Export rows, unless they are there; a run that was cut short is gone on with.

    Args:
        rows: to export.
        destination: where to.
        place: the path or URL of it.
        folder: of the model, which must still hold it at the end.
        say: is told what was done.

    Raises:
        ConfigError: if a library is missing, or the place is not one.
        ExportError: if the destination fails, refuses, or holds something else under that name.
        ArtifactError: if the model was replaced in the meantime.
    """
    schema = rows.schema
    opened: Any = needing(destination, destination.open, place, schema)
    with closing(opened) as writer:
        if writer.is_current():
            say(f"{schema.name}: is up to date, {schema.count:,} rows of model {schema.model[:12]}")
            return
        start = writer.existing()
        if start < schema.count:  # of the last batch, perhaps some rows but the first are there
            start -= start % destination.batch
        if start:
            say(f"{schema.target}: going on after row {start:,} of {schema.count:,}")
        for batch in track(
            rows.batches(start, destination.batch), "rows", schema.count - start, len, rate=True
        ):
            writer.write(batch)
        _check_complete(writer, rows)
        if _version(folder) != schema.model:
            msg = f"{folder}: the model was replaced while it was exported; run this again"
            raise ArtifactError(msg)
        with step("indexing and publishing"):
            writer.publish()
    say(f"{schema.name}: {schema.count:,} rows of model {schema.model[:12]}, as {schema.target}")


def needing(row: Destination | TowersFormat, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what may import libraries that not everybody has.

    Raises:
        ConfigError: naming the extra that installs the one that is missing.
    """
    try:
        return function(*arguments)
    except ModuleNotFoundError as error:
        if row.extra is None or (error.name or "").startswith("twotower"):
            raise
        msg = f'--to {row.name} needs {error.name}: pip install "twotower[{row.extra}]"'
        raise ConfigError(msg) from None


def _check_complete(writer: Writer, rows: Rows) -> None:
    """Believe the destination, not the loop: somebody else may write there, or delete."""
    count, wanted = writer.existing(), rows.schema.count
    if count != wanted:
        msg = (
            f"{rows.schema.target}: has {count:,} rows where {wanted:,} were written, so something "
            "else changes it; drop it, and run this again"
        )
        raise ExportError(msg)


def _version(folder: Path) -> str:
    try:
        return version_of(folder)
    except (OSError, ValueError):
        load_artifacts(folder, verify=False)  # says what is wrong, as for every command
        raise
