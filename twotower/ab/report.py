"""The result of an experiment for people, on a terminal or as Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from twotower.ab.analysis import Result, iso
from twotower.ab.inference import ACTIVE, ALPHA, POWER, UNEVEN, Arm, Interval
from twotower.ab.outcomes import OUTCOMES

Rows = Sequence[tuple[str, ...]]


def report_text(result: Result, *, markdown: bool) -> str:
    """All there is to say, as a table and sentences."""
    plan = result.plan
    kinds = " or ".join(plan.types) or "any event"
    on = " on a recommended item" if plan.recommended_only else ""
    what = (
        f"{plan.outcome}: {OUTCOMES[plan.outcome].summary} ({kinds}{on}), within {plan.window:g} "
        f"days of a user's first exposure, up to {iso(result.end)}"
    )
    tables = [_table(_arms(result), markdown=markdown)]
    if result.lift is not None:
        tables.append(_table(_lift(result), markdown=markdown))
    sentences = [*(f"WARNING: {one}" for one in result.warnings), *_sentences(result)]
    return "\n\n".join([what, *tables, *sentences])


def _arms(result: Result) -> Rows:
    arms = (result.control, result.treatment)
    total = sum(arm.users for arm in arms)
    return [
        ("", "control", "treatment"),
        ("users", *(f"{arm.users:,} ({arm.users / total:.1%})" for arm in arms)),
        ("with an event", *(_active(arm) for arm in arms)),
        ("mean per user", *(f"{arm.mean:.4g}" for arm in arms)),
        ("standard deviation", *(f"{arm.sd:.4g}" for arm in arms)),
    ]


def _active(arm: Arm) -> str:
    return f"{arm.active:,} ({arm.active / max(arm.users, 1):.2%})"


def _lift(result: Result) -> Rows:
    assert result.lift is not None  # noqa: S101 - its caller asks
    found, level = result.lift, f"{1 - ALPHA:.0%} interval"
    return [
        ("", "estimate", level),
        ("difference per user", *_cells(found.difference, "+.4g")),
        ("relative lift", *_cells(found.relative, "+.2%")),
        ("p-value", f"{found.p_value:.2g}", ""),
    ]


def _cells(one: Interval, form: str) -> tuple[str, str]:
    value = "unknown" if one.value is None else format(one.value, form)
    if one.low is None or one.high is None:
        return value, "without end"
    return value, f"{one.low:{form}} … {one.high:{form}}"


def _sentences(result: Result) -> Iterator[str]:
    yield _sizes(result)
    if not result.is_uneven:
        yield _verdict(result)
        yield _validity(result)
        if text := _needed(result):
            yield text
    if text := _counts("users left out", result.left_out):
        yield text
    log = result.exposures
    lines = {**log.left_out, "repeated": log.duplicates}
    yield f"log: {log.num_lines:,} lines{_counts('; left out', lines)}"
    if text := _counts("event rows dropped", result.events.dropped):
        yield text


def _sizes(result: Result) -> str:
    share, p = result.plan.share, result.uneven_p
    if not result.is_uneven:
        return f"sample ratio: as a share of {share:.4g} gives it (p {p:.2g}, at least {UNEVEN:g})"
    return (
        f"NO RESULT: the arms have other sizes than a share of {share:.4g} gives (p {p:.2g}, below "
        f"{UNEVEN:g}). Users are missing from one arm, and not at random: whatever the arms differ "
        "in may come from that. Find out why before anything else"
    )


def _verdict(result: Result) -> str:
    if result.lift is None:
        return (
            f"too early: an interval takes {ACTIVE} users with an event, and as many below the "
            f"largest outcome, in each arm"
        )
    if result.lift.p_value > ALPHA:
        return "no difference has been shown; the interval says how large one may still be"
    better = "treatment" if (result.lift.difference.value or 0) > 0 else "control"
    return f"the {better} is better (p {result.lift.p_value:.2g}, at most {ALPHA:g})"


def _validity(result: Result) -> str:
    if result.plan.horizon is None:
        return (
            "any number of looks: intervals and p-values hold however often you look, and whenever "
            "you stop"
        )
    return (
        f"one look, at the horizon {iso(result.plan.horizon)}: intervals and p-values hold if it "
        "was set before the experiment began"
    )


def _needed(result: Result) -> str:
    known = [f"{lift:.0%}: {users:,}" for lift, users in result.needed.items() if users is not None]
    if not known:
        return ""
    return (
        f"users in both arms to see a lift of so much in {POWER:.0%} of cases: {', '.join(known)}"
    )


def _counts(what: str, counts: Mapping[str, int]) -> str:
    parts = [f"{count:,} {reason}" for reason, count in counts.items() if count]
    return f"{what}: {', '.join(parts)}" if parts else ""


def _table(rows: Rows, *, markdown: bool) -> str:
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
