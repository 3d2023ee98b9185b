"""What was found in a folder, for people."""

from collections.abc import Iterator, Mapping

from twotower.common.bounded import bounded, shortened
from twotower.common.printable import printable
from twotower.inspection.feature_kind import PERSONAL_DATA, FeatureKind
from twotower.inspection.proposal import Proposal
from twotower.inspection.sample import TableSample
from twotower.inspection.settings import describe, rows_of

INDENT = "  "
MOST_EVENTS = 8
"""Types that are shown; params.yaml has them all."""


def report(proposal: Proposal) -> str:
    """Lines about each file and each of its columns, then what is not sure."""
    return "\n".join(bounded(printable(line)) for line in _lines(proposal))


def _lines(proposal: Proposal) -> Iterator[str]:
    tables = proposal.tables
    yield f"{tables.interactions.file}: interactions, {_how(tables.interactions)}"
    yield from _columns(tables.interactions, dict(_roles(proposal)))
    for role, side in tables.sides.items():
        yield f"{side.sample.file}: {role}, {_how(side.sample)}"
        yield from _columns(side.sample, {side.id.name: "id", **_uses(proposal, role)})
    for file, why in proposal.unused:
        yield f"{file}: not used{why and ': '}{why}"
    if proposal.doubts:
        yield "unsure:"
        for doubt in proposal.doubts:
            yield f"{INDENT}data.{'.'.join(doubt.key)}: {doubt.text}"


def _how(sample: TableSample) -> str:
    """Rows, format and dialect."""
    parts = [rows_of(sample), sample.format]
    if sample.dialect:
        parts.append(sample.dialect.encoding)
        if sample.dialect.separator:
            parts.append(f"separator {sample.dialect.separator!r}")
        parts.append("" if sample.dialect.header else "no header")
    return ", ".join(filter(None, parts))


def _roles(proposal: Proposal) -> Iterator[tuple[str, str]]:
    roles = proposal.tables.roles
    for role, column in roles.columns.items():
        use = f"{role}, {roles.time.name}" if role == "timestamp" and roles.time else role
        if role == "event":
            counts = [f"{name} {count:,}" for name, count in column.counts.items()]
            use = f"event, {', '.join(counts[:MOST_EVENTS])}{', …' * (len(counts) > MOST_EVENTS)}"
        yield column.name, use


def _uses(proposal: Proposal, role: str) -> dict[str, str]:
    """What each column of a table is, in words."""
    uses = {name: _use(kind) for name, kind in proposal.features[role].items()}
    return uses | dict.fromkeys(proposal.titles[role], "title")


def _use(kind: FeatureKind) -> str:
    if not kind.kind:
        return kind.reason
    return f"feature, {kind.kind}{f', between {kind.separator!r}' if kind.separator else ''}"


def _columns(sample: TableSample, uses: Mapping[str, str]) -> Iterator[str]:
    names = [shortened(column.name) for column in sample.columns]
    width = max(map(len, names))
    for column, name in zip(sample.columns, names, strict=True):
        use = uses.get(column.name, "not used")
        values = "" if use == PERSONAL_DATA else f"; {describe(column)}"
        yield f"{INDENT}{name:<{width}}  {use}{values}"
