"""Tables that the pipeline could not read beside the interactions, or would refuse."""

from twotower.inspection.doubt import Doubt
from twotower.inspection.sample import WHY_RAGGED, TableSample
from twotower.inspection.settings import encoding_of
from twotower.inspection.tables import SideTable, Tables

SHOWN = 3
"""Ids that a sentence shows."""


def leave_out_misfits(root: str, tables: Tables, *, drops: bool) -> list[Doubt]:
    """Leave out tables that would stop the pipeline.

    Args:
        root: the folder, as params.yaml shall name it.
        tables: changed in place.
        drops: whether rows that break a rule are dropped, so that a table may lack ids.

    Returns:
        Why, for each table that was left out.
    """
    doubts = []
    for role, side in list(tables.sides.items()):
        others = [sample for sample in tables.samples if sample is not side.sample]
        reasons = [_misfit(side.sample, other) for other in others]
        reasons += [] if drops else [_refused(side, root)]
        reason = next(filter(None, reasons), "")
        if reason:
            del tables.sides[role]
            doubts.append(Doubt((role, "file"), f"{side.sample.file} was left out: {reason}"))
    return doubts


def _misfit(sample: TableSample, other: TableSample) -> str:
    """Why one set of parameters cannot read both files; "" if it can."""
    if encoding_of([sample, other]) is None and sample.dialect and other.dialect:
        return f"it is {sample.dialect.encoding}, but {other.file} is {other.dialect.encoding}"
    first, second = sample.dialect, other.dialect
    if not (first and second and sample.is_delimited and other.is_delimited):
        return ""
    if first.header != second.header:
        with_header, without = (sample, other) if first.header else (other, sample)
        return f"{with_header.file} has a header, {without.file} has none"
    if first.separator != second.separator and {first.separator, second.separator} != {",", "\t"}:
        return f"its separator is {first.separator!r}, that of {other.file} {second.separator!r}"
    return ""


def _refused(side: SideTable, root: str) -> str:
    """Which rule of the pipeline the table breaks; "" if none."""
    if side.sample.num_ragged:
        rows = f"it has rows ({side.sample.num_ragged:,}) with more or fewer fields than the header"
        return f"{rows} ({WHY_RAGGED})"
    folder = f'"{root}"' if " " in root else root
    remedy = f"to use it, set data.on_invalid: drop and run twotower inspect {folder} again"
    for ids, what in ((side.missing, "lacks"), (side.repeated, "repeats")):
        if ids:
            shown = "" if side.id.is_personal else f", such as {', '.join(ids[:SHOWN])}"
            return f"it {what} {len(ids):,} of the ids of the interactions{shown}; {remedy}"
    return ""
