"""How growth is shown: a table, a plot, and the largest job that a machine can do."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from typing import Any

from benchmarks.markdown import figure, table
from benchmarks.measured import Cost, Picture
from twotower.plots.chart import Chart, layout
from twotower.plots.pictures import write_pictures

MACHINES = (24, 128, 512)
"""Gigabytes of memory."""
SHARE = 7 / 8
"""Of the memory that a stage may take; the rest is the system's."""


@dataclass(frozen=True)
class Point:
    """What a size costs."""

    size: int
    cost: Cost


@dataclass(frozen=True)
class Curve:
    """How something grows.

    Attributes:
        name: of the stage.
        grows: the unit of the sizes: interactions, trials, items.
        points: at least two, in ascending order of size.
    """

    name: str
    grows: str
    points: Sequence[Point]

    @property
    def bytes_each(self) -> float:
        """Of memory for one more, between the two largest sizes."""
        before, last = self.points[-2:]
        return (last.cost.peak - before.cost.peak) / (last.size - before.size)

    def largest(self, memory: float) -> float:
        """The size whose peak takes so many bytes; infinite if the peak does not grow."""
        last = self.points[-1]
        if self.bytes_each <= 0:
            return float("inf")
        return max(last.size + (memory - last.cost.peak) / self.bytes_each, 0.0)


def slope(before: Point, after: Point, of: str) -> float:
    """In log-log: 1 is linear growth; of: cpu or peak."""
    costs = (getattr(point.cost, of) for point in (after, before))
    return (log10(next(costs)) - log10(next(costs))) / log10(after.size / before.size)


def by_size(curves: Sequence[Curve]) -> str:
    """A row a point, with the slopes since the one before it."""
    head = ["stage", "size", "wall, s", "CPU, s", "peak, MB", "slope of CPU", "of peak"]
    return table(head, [row for curve in curves for row in _rows(curve)])


def _rows(curve: Curve) -> Iterator[list[str]]:
    for number, point in enumerate(curve.points):
        slopes = ["", ""]
        if number:
            before = curve.points[number - 1]
            slopes = [f"{slope(before, point, of):.2f}" for of in ("cpu", "peak")]
        costs = (point.cost.wall, point.cost.cpu, point.cost.peak / 1e6)
        size = f"{point.size:,} {curve.grows}"
        yield [curve.name, size, *map(figure, costs), *slopes]


def largest_jobs(curves: Sequence[Curve]) -> str:
    """A row a curve whose memory grows: bytes each, and what fits into each of MACHINES."""
    head = ["stage", "bytes each", *(f"{gigabytes} GB" for gigabytes in MACHINES)]
    rows = []
    for curve in curves:
        sizes = [curve.largest(SHARE * gigabytes * 1e9) for gigabytes in MACHINES]
        if sizes[0] != float("inf"):
            fits = [f"{rounded_down(size):,} {curve.grows}" for size in sizes]
            rows.append([curve.name, figure(curve.bytes_each), *fits])
    return table(head, rows)


def rounded_down(size: float) -> int:
    """To two digits: 12,345 to 12,000."""
    unit = 10 ** max(floor(log10(size)) - 1, 0) if size >= 1 else 1
    return int(size // unit * unit)


def picture(curves: Sequence[Curve]) -> Picture:
    """The plot, as a file.

    Raises:
        BrowserError: if there is no browser to draw it.
    """
    chart = Chart("growth", "Growth", drawn(curves))
    with tempfile.TemporaryDirectory() as folder:
        [path] = write_pictures([chart], Path(folder))
        return Picture(path.name, path.read_bytes())


def drawn(curves: Sequence[Curve]) -> Any:
    """A figure: processor time above, memory below; a column for what grows."""
    from plotly.subplots import make_subplots

    columns = list(dict.fromkeys(curve.grows for curve in curves))
    names = list(dict.fromkeys(curve.name for curve in curves))
    figure = make_subplots(rows=2, cols=len(columns), shared_xaxes=True, vertical_spacing=0.06)
    seen: set[str] = set()
    for curve in curves:
        column = columns.index(curve.grows) + 1
        sizes = [point.size for point in curve.points]
        values = ([p.cost.cpu for p in curve.points], [p.cost.peak / 1e6 for p in curve.points])
        for row, heights in enumerate(values, start=1):
            style = {"color": COLOURS[names.index(curve.name) % len(COLOURS)]}
            figure.add_scatter(
                x=sizes, y=heights, name=curve.name, legendgroup=curve.name, mode="lines+markers",
                line=style, marker=style, showlegend=curve.name not in seen, row=row, col=column,
            )  # fmt: skip
            seen.add(curve.name)
    figure.update_xaxes(type="log", dtick=1, exponentformat="power")
    figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    for column, title in enumerate(columns, start=1):
        figure.update_xaxes(title_text=title, row=2, col=column)
    figure.update_yaxes(title_text="processor time, s", row=1, col=1)
    figure.update_yaxes(title_text="peak memory, MB", row=2, col=1)
    figure.update_layout(layout("How time and memory grow", "both axes logarithmic: 1:1 is linear"))
    return figure


COLOURS = ("#1f4e8c", "#d9730d", "#2e7d32", "#7aa6d6", "#b3261e")
