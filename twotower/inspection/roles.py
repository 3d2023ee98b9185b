"""The columns of an interactions file, as they are found one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from twotower.inspection.column import Column
from twotower.inspection.doubt import Doubt, of_column
from twotower.inspection.time_forms import TimeForm, time_form

ROLES = ("user", "item", "timestamp", "event", "weight")
MOST_EVENTS = 50
"""Types of events in a column of them."""

MOSTLY_BLANK = 0.5
"""Share of the cells that a column of ids must have."""


@dataclass
class Roles:
    """The columns of an interactions file.

    Attributes:
        columns: by role, of ROLES.
        by_name: the roles that a name told; values told the others.
        time: how the times are written.
        doubts: what is not sure.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    by_name: set[str] = field(default_factory=set)
    time: TimeForm | None = None
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether there are users and items."""
        return {"user", "item"} <= self.columns.keys()

    def free(self, columns: Sequence[Column]) -> list[Column]:
        """Those that have no role yet."""
        used = {column.name for column in self.columns.values()}
        return [column for column in columns if column.name not in used]

    def take(self, role: str, column: Column, *, by_name: bool, others: Sequence[Column]) -> None:
        """Give a column a role.

        Args:
            role: of ROLES.
            column: which has it.
            by_name: whether its name told so; else that is a doubt.
            others: columns that might have had it too, which is a doubt.
        """
        self.columns[role] = column
        rest = ", ".join(each.name for each in others if each is not column)
        if by_name:
            self.by_name.add(role)
        if rest:
            self.doubt(role, f"{column.name} was taken for it, but it may also be {rest}")
        elif not by_name:
            self.doubt(role, f"column {column.name} was taken for it, by its values")

    def doubt(self, role: str, text: str) -> None:
        """Note what is not sure about a role."""
        doubt = of_column(role, text)
        self.doubts += [] if doubt in self.doubts else [doubt]


def fits(column: Column, role: str) -> bool:
    """Whether the values of a column may be of that role; timestamps are told by `time_form`."""
    if role in ("user", "item"):
        return may_be_id(column)
    if column.is_list or column.is_nested or column.share_filled < 1:
        return False
    return len(column.counts) <= MOST_EVENTS if role == "event" else _may_be_weight(column)


def _may_be_weight(column: Column) -> bool:
    numbers = column.own_numbers
    return bool(np.isfinite(numbers).all() and (numbers >= 0).all())


def may_be_id(column: Column) -> bool:
    """Whether the values are neither mostly blank, nor all the same, nor dates."""
    if column.is_list or column.is_nested or column.is_time or column.share_filled < MOSTLY_BLANK:
        return False
    is_date = column.share_integer < 0.5 and time_form(column, named=False) is not None
    return len(column.counts) > 1 and not is_date
