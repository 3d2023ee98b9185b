"""Which column of an interactions file is the user, the item, the time, the event, the weight."""

from collections.abc import Iterator, Mapping, Sequence

from twotower.config.data import DataConfig
from twotower.ingest.recognised_names import event_weights, is_named
from twotower.inspection.column import Column
from twotower.inspection.doubt import Doubt, of_column
from twotower.inspection.names import (
    AMOUNTS,
    SPLITS,
    TAKEN_BACK,
    TITLES,
    UNSURE_COLUMNS,
    has_word,
    role_tiers,
)
from twotower.inspection.roles import MOST_EVENTS, MOSTLY_BLANK, ROLES, Roles, fits
from twotower.inspection.sample import TableSample
from twotower.inspection.time_forms import TimeForm, order_form, time_form

KNOWN_EVENTS = 0.5
"""Share of the rows or types that must be usual events, where the column has no usual name."""
DEFAULT_WEIGHTS = DataConfig().event_weights
MOST_STARS = 20
"""Distinct values of ratings in a column without a name."""
HIGHEST = 10
"""Of such ratings."""
UNREAD_TIME = (
    "has the name of one, but its values are not recognised; set data.interactions.time_format"
)
REPEATED = 0.9
"""Distinct values as a share of the rows, beyond which a column without a name has no ids."""


def find_roles(sample: TableSample) -> Roles:
    """The roles of the columns, by name and where names fail by their values."""
    roles = Roles()
    _find_time(sample, roles)
    for role in ("user", "item", "event", "weight"):
        _by_name(sample, role, roles)
    _ids_by_values(sample, roles)
    _events_by_values(sample, roles)
    if sample.dialect and not sample.dialect.header:
        _stars_by_values(sample, roles)
    return roles


def other_uses(sample: TableSample, roles: Roles) -> Iterator[Doubt]:
    """Columns without a role that somebody may want to give one."""
    for column in roles.free(sample.columns):
        is_amount = is_named(column.name, AMOUNTS) and len(column.counts) > 1
        if "weight" not in roles.columns and is_amount:
            yield of_column("weight", f"{column.name} may be one, if more of it is more interest")
        if is_named(column.name, SPLITS) and 2 <= len(column.counts) <= 3:
            text = f"{column.name} may name a given split: see split.strategy and split.column"
            yield Doubt(("interactions", "file"), text)


def takes_back(event: str) -> bool:
    """Whether a type of event is called like one that takes interest back, as `refund` is."""
    return has_word(event, TAKEN_BACK)


def known_weight(event: str, weights: Mapping[str, float] = DEFAULT_WEIGHTS) -> float | None:
    """Weight of a type of event; None if it is not called like one of those that have one."""
    return event_weights([event], weights)[0]


def _by_name(sample: TableSample, role: str, roles: Roles) -> None:
    free = roles.free(sample.columns)
    for names in role_tiers(role):
        named = [column for column in free if is_named(column.name, names)]
        matches = [column for column in named if fits(column, role)]
        is_weak = names == UNSURE_COLUMNS[role]
        if is_weak and role == "event":
            matches = [column for column in matches if _share_known(column) >= KNOWN_EVENTS]
        if matches:
            best = max(matches, key=lambda column: column.share_filled)
            roles.take(role, best, by_name=True, others=matches)
            if is_weak and role in ("user", "item"):
                roles.doubt(role, _weakness(best))
            return
        for column in [] if is_weak else named:
            roles.doubt(role, f"{column.name} has the name of one, but {_why_not(column, role)}")


def _why_not(column: Column, role: str) -> str:
    """Why a column cannot have the role that its name tells."""
    if column.share_filled < MOSTLY_BLANK:
        return "is mostly blank"
    if column.share_filled < 1 and role in ("event", "weight"):
        return f"{1 - column.share_filled:.0%} of the rows lack it"
    return "its values are of another kind"


def _weakness(column: Column) -> str:
    if column.is_personal:
        return f"{column.name} is personal, and its values become ids of the model"
    return f"{column.name} is a name, which may change where an id stays"


def _find_time(sample: TableSample, roles: Roles) -> None:
    """A column called like times that has some; else one with dates or recent times; else order."""
    tiers = role_tiers("timestamp")
    named = [[each for each in sample.columns if is_named(each.name, tier)] for tier in tiers]
    for columns, by_name in [*((tier, True) for tier in named), (sample.columns, False)]:
        forms = [(column, time_form(column, named=by_name)) for column in columns]
        times = [(column, form) for column, form in forms if form is not None]
        if times:
            _take_time(times, roles, by_name=by_name)
            break
    else:
        _take_order(next(filter(None, named), []), roles)
    for columns in named:
        taken = roles.columns.get("timestamp")
        for column in columns:
            if column is not taken and time_form(column, named=True) is None:
                roles.doubt("timestamp", f"{column.name} {UNREAD_TIME}")
        if taken in columns:
            break


def _take_time(times: Sequence[tuple[Column, TimeForm]], roles: Roles, *, by_name: bool) -> None:
    """The first that has times of day; else the first."""
    best, form = min(times, key=lambda pair: pair[1].only_days)
    roles.time = form
    roles.take("timestamp", best, by_name=by_name, others=[column for column, _ in times])
    for text in form.doubts:
        roles.doubt("timestamp", text)


def _take_order(columns: Sequence[Column], roles: Roles) -> None:
    """A column called like times with other numbers, which give the order at least."""
    for column in columns:
        if "timestamp" in roles.columns or not fits(column, "weight"):
            continue
        roles.time = order_form(column)
        if roles.time is not None:
            roles.take("timestamp", column, by_name=True, others=())
            text = "has numbers that are no usual times: an order, or counted in another time_unit"
            roles.doubt("timestamp", f"{column.name} {text}")


def _ids_by_values(sample: TableSample, roles: Roles) -> None:
    """Columns in which many values repeat; the first is the user, as is usual."""
    missing = [role for role in ("user", "item") if role not in roles.columns]
    candidates = [
        column
        for column in roles.free(sample.columns)
        if fits(column, "user") and not column.decimal and not _is_called_otherwise(column)
        if column.share_filled == 1 and column.share_distinct < REPEATED
    ]
    surer = [column for column in candidates if len(column.counts) > MOST_STARS]
    fewer = [column for column in candidates if column not in surer]
    fewer.sort(key=lambda column: -len(column.counts))
    taken = [*surer, *fewer][: len(missing)]
    chosen = [column for column in candidates if column in taken]
    if len(chosen) == len(missing):
        for role, column in zip(missing, chosen, strict=True):
            roles.take(role, column, by_name=False, others=())


def _is_called_otherwise(column: Column) -> bool:
    """Whether the name tells that these are not ids."""
    tiers = [AMOUNTS, TITLES, *(names for role in ROLES for names in role_tiers(role))]
    return any(is_named(column.name, names) for names in tiers)


def _events_by_values(sample: TableSample, roles: Roles) -> None:
    for column in roles.free(sample.columns):
        may_be = "event" not in roles.columns and fits(column, "event")
        if may_be and _share_known(column) >= KNOWN_EVENTS:
            roles.take("event", column, by_name=False, others=())


def _share_known(column: Column) -> float:
    """Share of the rows, or of the different values, that are usual names of events."""
    if len(column.counts) > MOST_EVENTS:
        return 0.0
    known = [value for value in column.counts if known_weight(value) is not None]
    rows = sum(column.counts[value] for value in known)
    return max(rows / max(len(column.filled), 1), len(known) / max(len(column.counts), 1))


def _stars_by_values(sample: TableSample, roles: Roles) -> None:
    for column in roles.free(sample.columns):
        if "weight" in roles.columns or not 2 < len(column.counts) <= MOST_STARS:
            continue
        numbers = column.numbers(None)
        if column.share_filled == 1 and (numbers > 0).all() and (numbers <= HIGHEST).all():
            roles.take("weight", column, by_name=False, others=())
