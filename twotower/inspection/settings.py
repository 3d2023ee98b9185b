"""The keys of the `data` section that fit what was found."""

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from twotower.config.raw_files import FORMATS
from twotower.inspection.column import Column
from twotower.inspection.doubt import Doubt
from twotower.inspection.feature_kind import FeatureKind
from twotower.inspection.interaction_roles import known_weight, takes_back
from twotower.inspection.names import PERSONAL, has_word
from twotower.inspection.roles import ROLES
from twotower.inspection.sample import TableSample
from twotower.inspection.tables import Tables

UNKNOWN_EVENT, TAKEN_BACK_EVENT = 1.0, 0.01
"""Weights of types of events without a usual name: of interest, and of the opposite."""
SAYS_WHERE = (("file",), ("format",))
"""Keys of a table that name its file."""
LONGEST = 30
"""Characters of an example."""


@dataclass(frozen=True)
class Setting:
    """A key of the `data` section.

    Attributes:
        key: its path below `data`.
        value: plain; None is not written where the key is not there.
        comment: after it in the file; None: the one that is there.
    """

    key: tuple[str, ...]
    value: Any
    comment: str | None = None


def settings_of(
    root: str,
    tables: Tables,
    features: Mapping[str, Mapping[str, FeatureKind]],
    weights: Mapping[str, float],
    doubts: Sequence[Doubt],
) -> list[Setting]:
    """All keys that concern files, in the order of params.yaml; doubts become comments.

    Args:
        root: the folder, as params.yaml shall name it.
        tables: which file is what; all are read with one set of parameters.
        features: of "users" and "items", what each column but the id is.
        weights: `data.event_weights` so far, which stay where they are used.
        doubts: about any of the keys.
    """
    settings = [
        Setting(("root",), root),
        *_text(tables),
        *_events(tables.roles.columns.get("event"), weights),
        *_interactions(tables),
        *_table("users", tables, features.get("users", {})),
        *_table("items", tables, features.get("items", {})),
    ]
    return [_with_doubts(setting, doubts) for setting in settings]


def of_fetched(settings: Sequence[Setting], fetched: Collection[str]) -> list[Setting]:
    """The settings of a folder in which `twotower fetch` wrote some of the tables.

    Args:
        settings: all that concern files.
        fetched: names of these tables, whose query or URL stays; queries of others go.
    """
    kept = [
        each for each in settings if not (each.key[0] in fetched and each.key[1:] in SAYS_WHERE)
    ]
    tables = ("interactions", "users", "items")
    return kept + [Setting((name, "query"), None) for name in tables if name not in fetched]


def title_setting(tables: Tables, titles: Sequence[str]) -> Setting:
    """What the report calls items by: the first of the columns that are titles, if there is one."""
    side = tables.sides.get("items")
    keys = {each.name: side.sample.key_of(each) for each in side.sample.columns} if side else {}
    return Setting(("items", "title"), next((keys[title] for title in titles), None))


def decimal_of(tables: Tables) -> str | None:
    """The mark in numbers of all files; None: a point will do, or nothing tells.

    The interactions decide, of which the numbers are needed; else the other tables.
    """
    own, others = _own_numbers(tables), _features(tables)
    marks = _marks(own) or _marks(others)
    if "," in marks:
        return ","
    has_commas = any(each.has_groups or each.is_mark_unsure for each in (*own, *others))
    return "." if marks and has_commas else None


def _marks(columns: Sequence[Column]) -> set[str]:
    return {each.text_decimal for each in columns if each.text_decimal}


def unsure_marks(tables: Tables) -> Iterator[Doubt]:
    """Numbers such as 1,200, where no other number tells what the comma is."""
    columns = [*_own_numbers(tables), *_features(tables)]
    if decimal_of(tables) == "," or any(column.has_groups for column in columns):
        return
    dialect = tables.interactions.dialect
    hint = "; the separator ';' points to ','" if dialect and dialect.separator == ";" else ""
    for column in columns:
        if column.is_mark_unsure:
            example = next(value for value in column.counts if "," in value)
            text = f"{column.name} has numbers such as {example}: set ',' if that is a decimal mark"
            yield Doubt(("decimal",), f"{text}, '.' if it groups thousands{hint}")


def _own_numbers(tables: Tables) -> list[Column]:
    """Columns of the interactions that are read as numbers."""
    columns = tables.roles.columns
    return [columns[role] for role in ("timestamp", "weight") if role in columns]


def _features(tables: Tables) -> list[Column]:
    """Columns of the other tables but the ids."""
    sides = tables.sides.values()
    return [each for side in sides for each in side.sample.columns if each is not side.id]


def encoding_of(samples: Sequence[TableSample]) -> str | None:
    """The encoding of all files; None if there is none that reads them all.

    ASCII is part of every other, and a byte-order mark of UTF-16 is noticed by itself.
    """
    found = {each.dialect.encoding for each in samples if each.dialect}
    found -= {"ascii", "utf-16", "utf-32"}
    return None if len(found) > 1 else next(iter(found), "utf-8")


def rows_of(sample: TableSample) -> str:
    """How many rows, in words, and how many more have another number of fields."""
    if sample.estimate is None:
        return f"more than {sample.num_rows:,} rows"
    ones = "one" if sample.num_ragged == 1 else "ones"
    ragged = f", and {sample.num_ragged:,} ragged {ones}" if sample.num_ragged else ""
    return f"{'' if sample.is_whole else 'some '}{sample.estimate:,} rows{ragged}"


def describe(column: Column) -> str:
    """What the values are, in a few words; no example of personal ones."""
    if column.vector_width:
        return f"lists of {column.vector_width} numbers"
    kind = "integers" if column.share_canonical == 1 else "values"
    is_personal = column.is_personal or has_word(column.name, PERSONAL)
    example = "" if is_personal else f", such as {next(iter(column.counts), '')[:LONGEST]}"
    return f"{len(column.counts):,} different {kind}{example}"


def _with_doubts(setting: Setting, doubts: Sequence[Doubt]) -> Setting:
    texts = [doubt.text for doubt in doubts if doubt.key == setting.key]
    return replace(setting, comment=f"unsure: {'; '.join(texts)}") if texts else setting


def _text(tables: Tables) -> Iterator[Setting]:
    """How text files are written; where they have several separators, formats tell which."""
    texts = [sample for sample in tables.samples if sample.is_delimited]
    separators = {sample.dialect.separator for sample in texts if sample.dialect}
    is_usual = all(sample.has_usual_separator for sample in texts)
    separator = None if is_usual or len(separators) > 1 else separators.pop()
    yield Setting(("separator",), separator)
    yield Setting(("header",), all(sample.dialect.header for sample in texts if sample.dialect))
    yield Setting(("encoding",), encoding_of(tables.samples) or "utf-8")
    yield Setting(("decimal",), decimal_of(tables))
    ids = [tables.roles.columns[role] for role in ("user", "item")]
    if any(_has_twins(column) for column in ids):
        yield Setting(("unicode",), "nfc", "some ids differ only in how accents are written")


def _has_twins(column: Column) -> bool:
    """Whether values look alike but are composed of other characters."""
    distinct = list(column.counts)
    if all(value.isascii() for value in distinct):
        return False
    return len({unicodedata.normalize("NFC", value) for value in distinct}) < len(distinct)


def _events(column: Column | None, weights: Mapping[str, float]) -> Iterator[Setting]:
    if column is None:
        return
    yield Setting(("event_weights",), {})
    for event, count in column.counts.items():
        usual = known_weight(event, weights) or known_weight(event) or guessed_weight(event)
        weight = int(usual) if usual == int(usual) else usual
        yield Setting(("event_weights", event), weight, f"{count:,} times")


def guessed_weight(event: str) -> float:
    """Weight of a type of event without a usual name."""
    return TAKEN_BACK_EVENT if takes_back(event) else UNKNOWN_EVENT


def _interactions(tables: Tables) -> Iterator[Setting]:
    sample, roles = tables.interactions, tables.roles
    key = ("interactions",)
    yield Setting((*key, "file"), sample.file, rows_of(sample))
    yield Setting((*key, "format"), _format(sample))
    for role in ROLES:
        column = roles.columns.get(role)
        value = sample.key_of(column) if column else False
        yield Setting((*key, "columns", role), value, describe(column) if column else "")
    time = roles.time
    form = "" if time is None else time.name if time.format is None else f"such as {time.example}"
    yield Setting((*key, "time_format"), time and time.format, form)
    yield Setting((*key, "time_unit"), time and time.unit)


def _table(role: str, tables: Tables, kinds: Mapping[str, FeatureKind]) -> Iterator[Setting]:
    side = tables.sides.get(role)
    if side is None:
        yield Setting((role, "file"), value=False, comment="")
        yield Setting((role, "format"), None)
        yield Setting((role, "id"), None, "")
    else:
        yield Setting((role, "file"), side.sample.file, rows_of(side.sample))
        yield Setting((role, "format"), _format(side.sample))
        yield Setting((role, "id"), side.sample.key_of(side.id), describe(side.id))
    ids = tables.roles.columns[role.removesuffix("s")]
    yield Setting((role, "id_type"), "text" if 0 < ids.share_canonical < 1 else "auto")
    yield Setting((role, "features"), {}, "")
    for name, kind in kinds.items():
        if kind.kind:
            yield Setting((role, "features", name), _declared(kind))


def _declared(kind: FeatureKind) -> Any:
    if kind.separator is None or kind.separator == "|":
        return kind.kind
    return {"kind": kind.kind, "separator": kind.separator}


def _format(sample: TableSample) -> str | None:
    """The format, unless the extension tells it."""
    extension = PurePath(sample.file.lower().removesuffix(".gz")).suffix
    return None if extension in FORMATS[sample.format].extensions else sample.format
