"""Tables of Markdown, and the marks in a document between which they go."""

import re
from collections.abc import Sequence

from benchmarks.measured import Line

HEAD = ("what", "ours", "limit", "ratio", "aim", "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines)


def written(document: str, name: str, tables: str) -> str:
    """The document with other tables between the two lines that name them.

    Raises:
        ValueError: if it does not have these lines once.
    """
    begin, end = f"<!-- tables: {name} -->\n", f"<!-- end of tables: {name} -->\n"
    pattern = re.compile(f"({re.escape(begin)}).*?({re.escape(end)})", re.DOTALL)
    text, count = pattern.subn(lambda found: f"{found[1]}\n{tables}\n\n{found[2]}", document)
    if count != 1:
        msg = f"{begin.strip()} … {end.strip()}: {count} times in the document, not once"
        raise ValueError(msg)
    return text


def figure(value: float) -> str:
    """Three digits, and all of those before the point: 0.0123, 1.23, 12,345."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def cells(line: Line) -> list[str]:
    """Of a row below HEAD."""
    ours = limit = ratio = ""
    if line.ours is not None:
        ours = f"{figure(line.ours)} {line.unit}"
    if line.limit is not None:
        limit = f"{figure(line.limit)} {line.unit}" + f" ({line.against})" * bool(line.against)
        if line.compared is not None:
            ratio = f"{line.compared:.2f}"
    aim = f"{line.aim:g}" + f" {line.unit}" * (line.limit is None)
    said = {None: "not run", True: "holds", False: "**misses**"}[line.holds]
    return [line.what, ours, limit, ratio, aim, f"{said}: {line.note}" if line.note else said]


def sentence(line: Line) -> str:
    """A line on its own, as it is measured."""
    what, ours, limit, ratio, aim, said = cells(line)
    if line.ours is None:
        return f"{what}: {said}"
    against = f", limit {limit}, ratio {ratio}" if line.limit is not None else ""
    return f"{what}: {ours}{against}, aim {aim}: {said.replace('*', '')}"
