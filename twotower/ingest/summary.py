"""The main numbers of metrics/data.json for the terminal, and what a reader may have meant else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twotower.common.bounded import shortened
from twotower.config.raw_files import TIME_UNITS
from twotower.data.prepared import SPLITS
from twotower.ingest.dates import ISO_FORM
from twotower.ingest.row_check import describe


def summary(report: Mapping[str, Any]) -> str:
    """The main numbers of a report for the terminal; metrics/data.json has the rest."""
    rows, users, items = report["rows"], report["users"], report["items"]
    lines = [f"{rows['total']:,} events, {users['total']:,} users, {items['total']:,} items"]
    for name in SPLITS:
        cold = report["cold"].get(name)
        folded_in = rows.get(f"{name}_history")
        lacking = "an item" if folded_in else "a user or item"
        rest = f", {_rows(cold['rows'])} with {lacking} that train lacks" if cold else ""
        who = _count(users[name], "new user" if folded_in else "user")
        known = f", known by {_count(folded_in, 'other row')}" if folded_in else ""
        if name in report.get("relevant", {}):
            rest += f", {_rows(report['relevant'][name])} to find (evaluate.relevant)"
        lines.append(f"  {name}: {_rows(rows[name])}, {who}{known}{rest}")
    for name, held_out in report.get("held_out_items", {}).items():
        items, rows = _count(held_out["items"], "item"), _rows(held_out["rows"])
        lines.append(f"  {items} with {rows} held out whole for {name} (split.cold_items)")
    if clusters := report.get("clusters"):
        largest = f"the largest of {_count(clusters['largest'], 'user')}"
        without = f"; {_count(clusters['users_without'], 'user')} without one, each by itself"
        groups = f"{_count(clusters['total'], 'cluster')} of users, {largest}"
        lines.append(f"  {groups}{without if clusters['users_without'] else ''} (evaluate.cluster)")
    lines += [f"  {line}" for line in (*not_used(report), *_vectors(report))]
    if report["merged_rows"]:
        lines.append(f"  merged {_count(report['merged_rows'], 'repeated row')}")
    if report["sampled_out_users"]:
        lines.append(f"  left out {_count(report['sampled_out_users'], 'user')} (data.sample)")
    lines.extend(_tied(report))
    return "\n".join([*lines, *(f"  {line}" for line in _of_source(report["source"]))])


def not_used(report: Mapping[str, Any]) -> Iterator[str]:
    """Rows, cells, tables and columns that are not used, a line each."""
    for name, read in report["read"].items():
        rules = dict(read["dropped"])
        if total := rules.pop("total"):
            yield f"{name}: dropped {total:,} of {_rows(read['rows'])}: {describe(rules)}"
        if blanked := read.get("blanked_cells"):
            verb = "counts" if blanked == 1 else "count"
            yield f"{name}: {_count(blanked, 'invalid value')} {verb} as missing"
        if mostly := read.get("mostly_invalid"):
            yield (
                f"{name}: most values of {_names(mostly)} are no numbers; of numbers such as "
                "112,88 or 1,234.5, data.decimal settles the mark"
            )
    for name, file in report["source"]["files"].items():
        if file is False:
            yield f"{name}: no table (data.{name}.file: false)"
    for name, features in report["features"].items():
        if features["left_out"]:
            yield f"{name}: no column for {', '.join(features['left_out'])}"


def _vectors(report: Mapping[str, Any]) -> Iterator[str]:
    """Features that are vectors, a line each."""
    for name, features in report["features"].items():
        for feature, vectors in features.get("vectors", {}).items():
            total = report[name]["vocabulary"]
            with_one = total - vectors["missing"]
            unused = f", {vectors['unused']:,} of others unused" if vectors["unused"] else ""
            width = vectors["width"]
            yield f"{name}: {feature}: vectors of {width} for {with_one:,} of {total:,}{unused}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _rows(number: int) -> str:
    return _count(number, "row")


def _of_source(source: Mapping[str, Any]) -> Iterator[str]:
    """What was read in one of several ways, where a reader may have meant another."""
    columns = [f"{role} {_names([name])}" for role, name in source["columns"].items()]
    yield f"columns: {', '.join(columns)}"
    yield from _of_ids(source)
    if source["grouped_numbers"]:
        names = _names(source["grouped_numbers"])
        yield f"{names}: a point is a decimal mark; if it groups thousands, set data.decimal: ','"
    if source["unused_columns"]:
        yield f"columns not used: {_names(source['unused_columns'])}; data.interactions.columns"
    yield from _of_times(source)


def _of_times(source: Mapping[str, Any]) -> Iterator[str]:
    if source["order"] == "file":
        yield "no timestamps: the order of the rows is used as time order"
    elif source["times_near_1970"]:
        yield (
            "times are before 1980, if they are seconds: unless they are places in an order, set "
            "data.interactions.time_unit or time_format (e.g. '%Y' for 2019)"
        )
    elif source["times_after_2031"]:
        yield (
            "most times are after 2031, if they are seconds: otherwise set "
            "data.interactions.time_format (e.g. '%y%m%d%H%M' for 2401310030) or time_unit"
        )
    elif source["times"] not in (ISO_FORM, TIME_UNITS["s"].plural):
        yield f"times are read as {source['times']}"
    if early := source["times_before_1980"]:
        verb = "is" if early == 1 else "are"
        yield (
            f"{_count(early, 'time')} {verb} before 1980, and most later: "
            "remove such rows if the time means none"
        )


def _of_ids(source: Mapping[str, Any]) -> Iterator[str]:
    for side, why in source["why_text"].items():
        if why is not None:
            yield f"{side} ids are text because of {why}; data.{side}s.id_type settles it"
    for side, words in source["null_words"].items():
        for word, count in words.items():
            verb = "has" if count == 1 else "have"
            yield (
                f"{_rows(count)} {verb} the {side} id {word!r}, an id like any other: "
                "remove it if it means none"
            )
    yield from _of_programs(source)
    for side, count in source["alike"].items():
        if count:
            verb = "looks" if count == 1 else "look"
            ids = _count(count, f"{side} id")
            yield f"{ids} {verb} like another one: data.unicode: nfc makes them one"


def _of_programs(source: Mapping[str, Any]) -> Iterator[str]:
    """What programs have made of ids."""
    for side, first in source["enclosed"].items():
        if first is not None:
            yield f'all {side} ids are in marks, as {first} is, and stay so: only " is undone'
    for side, first in source["rounded"].items():
        if first is not None:
            yield f"{side} ids such as {first} look like numbers that a spreadsheet has rounded"


def _names(columns: Sequence[str]) -> str:
    """The first names, each on one line."""
    short = map(shortened, columns[:10])
    shown = ", ".join(repr(name) if name != name.strip() or not name else name for name in short)
    return " ".join(shown.split()) + (", …" if len(columns) > 10 else "")


def _tied(report: Mapping[str, Any]) -> Iterator[str]:
    tied = {name: held_out["tied_rows"] for name, held_out in report["hidden"].items()}
    counts = " and ".join(f"{count:,} {name}" for name, count in tied.items() if count)
    if counts:
        rows = "row shares" if sum(count or 0 for count in tied.values()) == 1 else "rows share"
        if any(name not in (*SPLITS, "total") for name in report["rows"]):  # users held out whole
            known, way = "rows that are folded in", "split.ties: together"
        else:
            num_splits = sum(1 for name in SPLITS if report["rows"][name])
            known, way = "training rows", _untied(report["moments"], num_splits)
        yield f"  {counts} {rows} user and time with {known}; {way} keeps such rows together"


def _untied(moments: Mapping[str, int], num_splits: int) -> str:
    """What keeps events of one moment together and still gives each split rows, of a few moments.

    Where three splits are too many, two may do.
    """
    ways = []
    for way, most in (
        ("split.strategy: cutoff", moments["total"]),
        ("split.strategy: temporal with split.ties: together", moments["most_of_a_user"]),
    ):
        if most >= 2:
            ways.append(way if most >= num_splits else f"{way} and split.validation: 0")
    return ", or ".join(ways) or "only split.strategy: given"
