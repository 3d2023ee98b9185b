"""Which columns of a table may be side features, and of which kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.compute as pc

from twotower.data.categories import Categorical, MultiValued
from twotower.data.dense import Vector
from twotower.data.features import Numeric
from twotower.ingest.recognised_names import is_named
from twotower.inspection.column import ADDRESS, Column
from twotower.inspection.names import IDS, LABELS, PERSONAL, TITLES, has_word
from twotower.inspection.time_forms import time_form

PERSONAL_DATA = "personal data"
SEPARATORS = ("|", ";", ",", "/", " ")
"""Between the values of a cell; the first by which the cells become few values is taken."""
MOST_BLANK = 0.5
"""Share of blank cells beyond which a column says too little."""
MOST_CATEGORIES = 0.5
"""Distinct values as a share of the rows, beyond which each says something of too few."""
FEW, MANY = 20, 10_000
"""So many distinct values are categories, however few the rows; more are none, however many."""
FLAGS = 3
"""Numbers with no more distinct values are categories."""
LONG = 60
"""Mean number of characters of a text that is no title."""
MOSTLY = 0.9
"""Share of numbers in a column of numbers that has other cells too; of titles with a letter."""
LETTER = r"\p{L}"
AMOUNT = r"^\P{L}*[0-9]+[.,][0-9]+ ?\p{L}{0,3}$"
"""As 0,50 EUR or 1.5 kg are."""


@dataclass(frozen=True)
class FeatureKind:
    """What a column is as a side feature.

    Attributes:
        kind: a row of KINDS; "" if it is none.
        separator: of multi_valued text.
        reason: what it is instead, in words; "" if it is a feature.
        is_title: whether it is what an item is called.
        is_nearly_numeric: whether a few cells keep it from being a feature of numbers.
    """

    kind: str = ""
    separator: str | None = None
    reason: str = ""
    is_title: bool = False
    is_nearly_numeric: bool = False


def feature_kind(column: Column, role: str, decimal: str | None) -> FeatureKind:
    """The kind of a column that is not the id.

    Args:
        column: of the users or the items table.
        role: "users" or "items".
        decimal: the mark in numbers of the file.
    """
    if reason := next(_reasons(column, role), ""):
        return FeatureKind(reason=reason)
    if column.is_list:
        return FeatureKind(Vector.name if column.vector_width else MultiValued.name)
    if column.text_decimal not in (None, decimal or "."):
        return FeatureKind(reason=f"numbers with another decimal mark than {decimal or '.'!r}")
    if column.is_mark_unsure:  # numbers by either mark; read once data.decimal says by which
        decimal = decimal or ","
    share = column.share_numeric(decimal)
    if share == 1 and len(column.counts) > FLAGS and not has_word(column.name, LABELS):
        return FeatureKind(Numeric.name)
    if MOSTLY < share < 1:
        text = column.first_text(decimal)
        return FeatureKind(reason=f"numbers, but also {text!r}", is_nearly_numeric=True)
    return _of_text(column, role)


def _reasons(column: Column, role: str) -> Iterator[str]:
    """Why a column cannot be a feature."""
    if column.is_nested:
        yield "nested"
    if (role == "users" and has_word(column.name, PERSONAL)) or column.is_personal:
        yield PERSONAL_DATA
    if len(column.counts) < 2 and not column.vector_width:
        yield "all the same" if column.counts else "blank"
    if column.share_filled < 1 - MOST_BLANK:
        yield f"{1 - column.share_filled:.0%} blank"
    if column.share(ADDRESS) > MOST_BLANK:
        yield "links"
    if column.share_distinct == 1 and has_word(column.name, IDS):
        yield "ids"
    if column.numbers_rows:
        yield "numbers of the rows"
    if time_form(column, named=False) is not None:
        yield "times"


def _of_text(column: Column, role: str) -> FeatureKind:
    separator = next(_list_separators(column), None)
    is_name = role == "items" and is_named(column.name, TITLES)
    if separator is not None and not (is_name and separator == " "):  # words of a name are no tags
        return FeatureKind(MultiValued.name, separator)
    num_distinct = len(column.counts)
    most = min(MANY, max(FEW, MOST_CATEGORIES * len(column.filled)))
    if num_distinct <= most and column.share_distinct < 1:
        return FeatureKind(Categorical.name)
    length = pc.mean(pc.utf8_length(column.distinct)).as_py()
    named = column.share(LETTER) >= MOSTLY and column.share(AMOUNT) < MOSTLY
    is_title = role == "items" and named and length < LONG
    return FeatureKind(reason=f"{num_distinct:,} different texts", is_title=is_title)


def _list_separators(column: Column) -> Iterator[str]:
    """What may stand between the values of a cell: by it, many cells become few values."""
    for separator in SEPARATORS:
        with_it = pc.mean(pc.match_substring(column.filled, separator)).as_py()
        if with_it < 0.05:
            continue
        parts = pc.split_pattern(column.distinct, separator)
        values = pc.unique(pc.utf8_trim_whitespace(parts.flatten()))
        if len(values) * (3 if separator == " " else 1.5) <= len(column.counts):
            yield separator
