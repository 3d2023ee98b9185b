"""Which file of a folder is what: the interactions, the users, the items."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from twotower.ingest.recognised_names import is_named, normalise
from twotower.ingest.usual_names import FILES, WIDER_FILES, column_tiers
from twotower.inspection.column import Column
from twotower.inspection.doubt import Doubt
from twotower.inspection.listing import EXTENSIONS
from twotower.inspection.names import TRAINING, has_word, id_tiers
from twotower.inspection.roles import Roles
from twotower.inspection.sample import TableSample

UNIQUE = 0.98
"""Share of distinct ids from which on a file is a table of them."""
NEARLY = 0.9
"""The same where a name tells that it is one."""
JOINED = 0.5
"""Share of the ids of the interactions that a table must have."""
TIE = 3
"""Files whose ranks begin with as many equal parts may each hold the interactions."""
WHOLE = re.compile(r"^(-?[0-9]+)\.0+$")
"""Integers as tables with gaps have them: 7.0 is 7."""


@dataclass
class SideTable:
    """A users or items table.

    Attributes:
        sample: of the file.
        id: its column of ids.
        missing: ids of the interactions' rows that it lacks.
        repeated: ids that it has several times.
    """

    sample: TableSample
    id: Column
    missing: list[str]
    repeated: list[str]


@dataclass
class Tables:
    """What the files of a folder are.

    Attributes:
        interactions: the file of events.
        roles: its columns.
        sides: "users" and "items", where there is such a table.
        doubts: what is not sure.
    """

    interactions: TableSample
    roles: Roles
    sides: dict[str, SideTable] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def samples(self) -> list[TableSample]:
        """The files that are used."""
        return [self.interactions, *(side.sample for side in self.sides.values())]


Found = Sequence[tuple[TableSample, Roles]]
"""All files, and the roles that their columns would have if they held the interactions."""


def assign(found: Found) -> Tables | None:
    """Which file is what; None if none has both users and items in its rows."""
    events = [(sample, roles) for sample, roles in found if _may_be_events(roles)]
    if not events:
        return None
    ranked = sorted(events, key=lambda pair: _rank(*pair), reverse=True)
    tables = Tables(*ranked[0])
    best = _rank(*ranked[0])[:TIE]
    others = [sample.file for sample, roles in ranked[1:] if _rank(sample, roles)[:TIE] == best]
    if others:
        text = f"the interactions may also be {', '.join(others)}"
        if has_word(tables.interactions.file, TRAINING):
            text += "; if these are the parts of a given split, see split.files"
        tables.doubts.append(Doubt(("interactions", "file"), text))
    _find_sides(tables, [each for each, _ in found if each is not tables.interactions])
    return tables


def to_be_joined(found: Found) -> tuple[str, str, str] | None:
    """(File of users, file of items, column of both) of an export whose events are in two files.

    As orders, which have the customer, and lines of orders, which have the product. None if names
    tell users and items in one file.
    """
    if any({"user", "item"} <= roles.by_name for _, roles in found):
        return None
    users = [sample for sample, roles in found if "user" in roles.by_name]
    items = [sample for sample, roles in found if "item" in roles.by_name]
    pairs = ((one, other, column) for one in users for other in items for column in one.columns)
    for one, other, column in pairs:
        twin = next((each for each in other.columns if each.name == column.name), None)
        if twin and column.share_distinct == 1 and _join(twin, column)[0] >= JOINED:
            return one.file, other.file, column.name
    return None


def file_role(file: str) -> str | None:
    """interactions, users or items, if the name of a file says so; plain names before wider ones.

    One word of it is enough: `export_ventas_2025.csv` has interactions.
    """
    name = normalise(EXTENSIONS.sub("", PurePath(file).name).replace(".", "_"))
    for vocabulary in (FILES, WIDER_FILES):
        for role, names in vocabulary.items():
            if is_named(name, names):
                return role
    words = re.split(r"[^a-z]+", name)
    plurals = {word + suffix for word in words for suffix in ("", "s", "es")} - {""}
    roles = [
        role
        for role in FILES
        if any(is_named(word, FILES[role] + WIDER_FILES[role]) for word in plurals)
    ]
    if len(roles) > 1:  # `order_items`, `customer_orders`: events of the others
        return "interactions"
    return roles[0] if roles else None


def _may_be_events(roles: Roles) -> bool:
    """Whether there are users and items, and rows are not one of them each.

    Where names tell both, one may be: everybody may have bought once.
    """
    if not roles.is_complete:
        return False
    repeat = [roles.columns[role].share_distinct < UNIQUE for role in ("user", "item")]
    return any(repeat) if {"user", "item"} <= roles.by_name else all(repeat)


def _rank(sample: TableSample, roles: Roles) -> tuple[int, int, int, bool, int]:
    """By name of the file, roles that names tell, roles in all; then by what tells of a tie."""
    role = file_role(sample.file)
    by_file = 1 if role == "interactions" else 0 if role is None else -1
    named = len(roles.by_name & {"user", "item"})
    is_training = has_word(sample.file, TRAINING)
    rows = sample.estimate or sample.num_rows
    return by_file + named, len(roles.by_name), len(roles.columns), is_training, rows


def _find_sides(tables: Tables, samples: Sequence[TableSample]) -> None:
    """The tables that fit best, each used once."""
    fits = [
        (score, role, side)
        for role in ("users", "items")
        for sample in samples
        for score, side in [_fit(sample, role, tables)]
        if side is not None
    ]
    used: set[str] = set()
    for _, role, side in sorted(fits, key=lambda fit: -fit[0]):
        if role not in tables.sides and side.sample.file not in used:
            tables.sides[role] = side
            used.add(side.sample.file)
    for sample in samples:
        role = file_role(sample.file) or ""
        if role in ("users", "items") and role not in tables.sides:
            text = f"{sample.file} is called like them, but no column has most of their ids once"
            tables.doubts.append(Doubt((role, "file"), text))


def _fit(sample: TableSample, role: str, tables: Tables) -> tuple[float, SideTable | None]:
    """(How well, as what) a file is the table of that role; None if it is not.

    The name of the file or of the column must tell; integers join with anything.
    """
    events = tables.roles.columns[role.removesuffix("s")]
    by_file = file_role(sample.file)
    is_named, column = _id_column(sample, role.removesuffix("s"), events)
    if column is None or by_file not in (None, role) or not (is_named or by_file):
        return 0.0, None
    share, missing = _join(events, column)
    is_unique = column.share_distinct >= (NEARLY if is_named else UNIQUE)
    if not is_unique or share == 0 or (sample.is_whole and share < JOINED):
        return 0.0, None
    repeated = [value for value, count in column.counts.items() if count > 1]
    side = SideTable(sample, column, missing if sample.is_whole else [], repeated)
    return share + 2 * (by_file == role) + is_named, side


def _id_column(sample: TableSample, singular: str, events: Column) -> tuple[bool, Column | None]:
    """(Whether its name tells the role, the column of ids): called like one, or joining."""
    own: list[Column] = []
    generic: list[Column] = []
    if sample.dialect is None or sample.dialect.header:
        own = [column for column in sample.columns if column.name == events.name]
        own += _named(sample, column_tiers(singular))
        generic = _named(sample, id_tiers(singular))
    for column in [*own, *generic, *sample.columns]:
        least = 0 if column in own or column in generic else JOINED
        if column.share_distinct >= UNIQUE and _join(events, column)[0] > least:
            return column in own, column
    return bool(own), own[0] if own else None


def _named(sample: TableSample, tiers: Iterable[tuple[str, ...]]) -> list[Column]:
    """The columns that have a name of any tier, the surest first."""
    return [each for names in tiers for each in sample.columns if is_named(each.name, names)]


def _join(events: Column, ids: Column) -> tuple[float, list[str]]:
    """(Share of the events' distinct ids that are in the table, those that are not)."""
    known = {WHOLE.sub(r"\1", value) for value in ids.counts}
    missing = [value for value in events.counts if WHOLE.sub(r"\1", value) not in known]
    return 1 - len(missing) / max(len(events.counts), 1), missing
