"""How growth is shown: a table, a plot, and the largest job that a machine can do."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from benchmarks.markdown import figure, table
from benchmarks.measured import Cost, Picture
from twotower.plots.chart import MUTED, Chart, layout
from twotower.plots.pictures import write_pictures

MACHINES = (24, 128, 512)
"""Gigabytes of memory."""
SHARE = 7 / 8
"""Of the memory that a stage may take; the rest is the system's."""
GROWS = 0.1
"""Slope of the peak below which it is the same at any size."""
COLOURS = ("#1f4e8c", "#d9730d", "#2e7d32", "#7aa6d6", "#b3261e")
HEIGHTS: Mapping[str, Callable[[Cost], float]] = {
    "processor time, s": lambda cost: cost.cpu,
    "peak memory, MB": lambda cost: cost.peak / 1e6,
}
"""What the rows of the plot show."""


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
        """The size whose peak takes so many bytes."""
        last = self.points[-1]
        return max(last.size + (memory - last.cost.peak) / self.bytes_each, 0.0)


def slope(before: Point, after: Point, of: str) -> float:
    """In log-log: 1 is linear growth; of: cpu or peak."""
    times = getattr(after.cost, of) / getattr(before.cost, of)
    return log10(times) / log10(after.size / before.size)


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
    """A row a curve whose peak grows: bytes each, and what fits into each of MACHINES."""
    head = ["stage", "bytes each", *(f"{gigabytes} GB" for gigabytes in MACHINES)]
    rows = []
    for curve in curves:
        before, last = curve.points[-2:]
        if slope(before, last, "peak") >= GROWS:
            sizes = [curve.largest(SHARE * gigabytes * 1e9) for gigabytes in MACHINES]
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
    colours = dict(zip(dict.fromkeys(curve.name for curve in curves), COLOURS, strict=False))
    figure = make_subplots(2, len(columns), shared_xaxes=True, shared_yaxes=True,
                           vertical_spacing=0.06, horizontal_spacing=0.03)  # fmt: skip
    for row, (title, height) in enumerate(HEIGHTS.items(), start=1):
        heights = [height(point.cost) for curve in curves for point in curve.points]
        low, high = floor(log10(min(heights))), ceil(log10(max(heights)))
        for column, grows in enumerate(columns, start=1):
            panel = [curve for curve in curves if curve.grows == grows]
            for trace in _traces(panel, height, colours, 10**low):
                figure.add_scatter(**trace, row=row, col=column)
            figure.update_xaxes(title_text=grows, row=2, col=column)
        figure.update_yaxes(range=[low, high], row=row)
        figure.update_yaxes(title_text=title, row=row, col=1)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(type="log", dtick=1, exponentformat="power")
    named = [trace.name for trace in figure.data]
    for number, trace in enumerate(figure.data):
        trace.showlegend = trace.name not in named[:number]
    figure.update_layout(layout("How time and memory grow", "both axes are logarithmic"))
    return figure


def _traces(
    panel: Sequence[Curve], height: Callable[[Cost], float], colours: Mapping[str, str], low: float
) -> Iterator[dict[str, Any]]:
    """The curves, and a line that shows how steep linear growth is.

    Args:
        panel: curves of which the same grows.
        height: of a point.
        colours: by name.
        low: end of the axis, where the line starts.
    """
    for curve in panel:
        yield {
            "x": [point.size for point in curve.points],
            "y": [height(point.cost) for point in curve.points],
            "name": curve.name,
            "mode": "lines+markers",
            "line": {"color": colours[curve.name]},
        }
    sizes = [point.size for curve in panel for point in curve.points]
    ends = [min(sizes), max(sizes)]
    yield {
        "x": ends,
        "y": [low * end / ends[0] for end in ends],
        "name": "linear growth",
        "mode": "lines",
        "line": {"color": MUTED, "dash": "dot"},
    }
