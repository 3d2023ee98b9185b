"""What a folder holds, and the `data` section for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twotower.common.errors import DataError
from twotower.common.progress import track
from twotower.config.data import DataConfig
from twotower.ingest.recognised_names import is_named
from twotower.inspection.column import Column
from twotower.inspection.doubt import Doubt, of_column
from twotower.inspection.feature_kind import FeatureKind, feature_kind
from twotower.inspection.interaction_roles import find_roles, known_weight, other_uses, takes_back
from twotower.inspection.listing import tables_of
from twotower.inspection.misfits import leave_out_misfits
from twotower.inspection.names import TITLES
from twotower.inspection.sample import TableSample, read_sample
from twotower.inspection.settings import (
    Setting,
    decimal_of,
    settings_of,
    title_setting,
    unsure_marks,
)
from twotower.inspection.tables import Tables, assign, file_role, to_be_joined

SHOWN_COLUMNS = 8


@dataclass(frozen=True)
class Proposal:
    """What was found in a folder.

    Attributes:
        tables: which file is what.
        features: of "users" and "items", what each column but the id is.
        titles: of "users" and "items", the columns that say what they are called.
        settings: all keys of the `data` section that concern files.
        doubts: what is not sure.
        unused: (file, why it is not used).
    """

    tables: Tables
    features: Mapping[str, Mapping[str, FeatureKind]]
    titles: Mapping[str, Sequence[str]]
    settings: Sequence[Setting]
    doubts: Sequence[Doubt]
    unused: Sequence[tuple[str, str]]


def propose(folder: Path, root: str, config: DataConfig) -> Proposal:
    """Look at a folder; only the beginning of large files is read.

    Args:
        folder: of raw files.
        root: the folder, as params.yaml shall name it.
        config: the `data` section so far: its policy for invalid rows and its event weights stay.

    Raises:
        DataError: if there is no such folder, or no file of interactions in it.
    """
    samples, unused = _read_all(folder)
    found = [(sample, find_roles(sample)) for sample in samples]
    if joined := to_be_joined(found):
        msg = "{}: users are in {} and items in {}: join them by {} into one file of events"
        raise DataError(msg.format(folder, *joined))
    tables = assign(found)
    if tables is None:
        raise DataError(_nothing(folder, samples, unused))
    doubts = leave_out_misfits(root, tables, drops=config.on_invalid == "drop")
    features = dict(_features(tables))
    titles = {role: list(_titles(kinds)) for role, kinds in features.items()}
    doubts += [*unsure_marks(tables), *_doubts(tables), *tables.doubts, *tables.roles.doubts]
    doubts += [*other_uses(tables.interactions, tables.roles), *_unread_sides(tables, unused)]
    doubts += _nearly_numeric(features)
    used = {sample.file for sample in tables.samples}
    return Proposal(
        tables=tables,
        features=features,
        titles=titles,
        settings=[
            *settings_of(root, tables, features, config.event_weights, doubts),
            title_setting(tables, titles.get("items", [])),
        ],
        doubts=doubts,
        unused=[(each.file, "") for each in samples if each.file not in used] + unused,
    )


def _read_all(root: Path) -> tuple[list[TableSample], list[tuple[str, str]]]:
    """The tables, and (file, why it is none) of all other files."""
    samples, unread = [], []
    for file in track(list(tables_of(root)), "files"):
        try:
            samples.append(read_sample(root, file))
        except DataError as error:
            unread.append((file, str(error).removeprefix(f"{root / file}: ")))
    return samples, unread


def _unread_sides(tables: Tables, unread: Sequence[tuple[str, str]]) -> Iterator[Doubt]:
    """Files that are called like a table that was not found."""
    for file, why in unread:
        role = file_role(file) or ""
        if role in ("users", "items") and role not in tables.sides:
            yield Doubt((role, "file"), f"{file} was left out: {why}")


def _nearly_numeric(features: Mapping[str, Mapping[str, FeatureKind]]) -> Iterator[Doubt]:
    """Columns of numbers that a few cells keep from being features."""
    for role, kinds in features.items():
        for name, kind in kinds.items():
            if kind.is_nearly_numeric:
                remedy = f"to use it, set {name}: numeric here and data.on_invalid: drop"
                why = f"{name} was left out: {kind.reason}"
                yield Doubt((role, "features"), f"{why}; {remedy}, and such cells count as missing")


def _nothing(root: Path, samples: Sequence[TableSample], unread: Sequence[tuple[str, str]]) -> str:
    seen = [
        f"{each.file} ({', '.join(column.name for column in each.columns[:SHOWN_COLUMNS])})"
        for each in samples
    ]
    left_out = [(each.file, why) for each in samples for why in each.unread]
    seen += [f"{file} (not read: {why})" for file, why in [*left_out, *unread]]
    return (
        f"{root}: no file has users and items in its rows, one row per event; found "
        f"{'; '.join(seen) or 'no files'}"
    )


def _features(tables: Tables) -> Iterator[tuple[str, dict[str, FeatureKind]]]:
    decimal = decimal_of(tables)
    for role, side in tables.sides.items():
        columns = [column for column in side.sample.columns if column is not side.id]
        yield role, {column.name: feature_kind(column, role, decimal) for column in columns}


def _titles(kinds: Mapping[str, FeatureKind]) -> Iterator[str]:
    """Columns that are called like titles; else the first that looks like them."""
    looks = [name for name, kind in kinds.items() if kind.is_title]
    yield from [name for name in looks if is_named(name, TITLES)] or looks[:1]


def _doubts(tables: Tables) -> Iterator[Doubt]:
    """About how files are written, ids, rows without one, and events."""
    for sample in tables.samples:
        if sample.dialect:
            yield from (
                Doubt((key,), f"{sample.file}: {text}") for key, text in sample.dialect.doubts
            )
        for reason in sample.unread:
            yield Doubt(("root",), f"{sample.file}: a column is left out: {reason}")
        if sample.num_ragged:
            text = f"{sample.file} has rows ({sample.num_ragged:,}) with more or fewer fields"
            yield Doubt(("separator",), f"{text}; on_invalid: drop leaves them out")
    for role, column in tables.roles.columns.items():
        yield from _column_doubts(role, column)


def _column_doubts(role: str, column: Column) -> Iterator[Doubt]:
    if column.share_filled < 1:
        rows = f"{1 - column.share_filled:.2%} of the rows lack it"
        yield of_column(role, f"{rows}; on_invalid: drop leaves them out")
    if role in ("user", "item") and 0 < column.share_canonical < 1:
        text = f"{column.first_other!r} is among integers, so {role} ids were taken for text"
        yield Doubt((f"{role}s", "id_type"), text)
    for name in column.counts if role == "event" else ():
        if known_weight(name) is None:
            text = f"{name!r} is no usual type of event; the weight is a guess"
            if takes_back(name):
                text = f"{name!r} takes interest back; leave such rows out if you can"
            yield Doubt(("event_weights", name), text)
