"""The plane of two metrics of a front: its axes, the edge of the front, and what is excluded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twotower.plots import chart
from twotower.plots.front import Front
from twotower.search.front import non_dominated

EXCLUDED = "rgba(107, 119, 133, 0.13)"


@dataclass(frozen=True)
class Pair:
    """Two metrics of a front, by their places, and what of the plane is shown.

    Attributes:
        front: of all metrics.
        x: place of the metric along the x axis.
        y: along the y axis.
    """

    front: Front
    x: int
    y: int

    def range_of(self, place: int) -> tuple[float, float]:
        """Ends of an axis: all trials, with room for their markers and numbers."""
        values = [point[place] for point in self.front.points.values()]
        low, high = min(values), max(values)
        pad = 0.1 * (high - low) or 0.1 * abs(high) or 0.01
        return low - pad, high + pad

    def points(self, numbers: Sequence[int]) -> dict[str, list[float]]:
        """Where trials are."""
        points = self.front.points
        return {
            "x": [points[number][self.x] for number in numbers],
            "y": [points[number][self.y] for number in numbers],
        }

    def steps(self) -> dict[str, list[float]]:
        """The edge of what the front beats, from one side of the plane to another."""
        rows = [(one.values[self.x], one.values[self.y]) for one in self.front.members]
        sign = np.array([self.front.sign(self.x), self.front.sign(self.y)])
        is_on = non_dominated(np.array(rows) * sign)
        kept = [row for row, is_member in zip(rows, is_on, strict=True) if is_member]
        kept.sort(key=lambda row: (-sign[1] * row[1], sign[0] * row[0]))
        worst_x, worst_y = self._worst(self.x), self._worst(self.y)
        return {
            "x": [worst_x, *(x for x, _ in kept), kept[-1][0]],
            "y": [kept[0][1], *(y for _, y in kept), worst_y],
        }

    def _worst(self, place: int) -> float:
        low, high = self.range_of(place)
        return low if self.front.sign(place) > 0 else high

    def text_position(self) -> str:
        """On the side of a trial of the front where no trial is."""
        vertical = "top" if self.front.sign(self.y) > 0 else "bottom"
        return f"{vertical} {'right' if self.front.sign(self.x) > 0 else 'left'}"

    def worst_corner(self) -> str:
        """Where no trial of the front is, as long as there are two."""
        vertical = "bottom" if self.front.sign(self.y) > 0 else "top"
        return f"{vertical} {'left' if self.front.sign(self.x) > 0 else 'right'}"

    def random(self) -> dict[str, list[float | None]]:
        """Where a random ranking is expected, if that is known."""
        values: Sequence[float | None] = self.front.random or [None] * len(self.front.directions)
        return {"x": [values[self.x]], "y": [values[self.y]]}


def frame(pair: Pair) -> dict[str, Any]:
    """What the layout says of two metrics: their names and ranges, and what is excluded."""
    return {
        "xaxis.title.text": pair.front.label(pair.x),
        "yaxis.title.text": pair.front.label(pair.y),
        "xaxis.range": list(pair.range_of(pair.x)),
        "yaxis.range": list(pair.range_of(pair.y)),
        "shapes": [*_excluded(pair, pair.x, "x"), *_excluded(pair, pair.y, "y")],
    }


def _excluded(pair: Pair, place: int, axis: str) -> Iterator[dict[str, Any]]:
    """A grey band where the rule of choice lets no trial be chosen."""
    low, high = pair.range_of(place)
    other = "y" if axis == "x" else "x"
    for end, text in _bounds(pair.front, place):
        edge = low if pair.front.sign(place) > 0 else high
        if low < end < high:
            yield {
                "type": "rect",
                "layer": "below",
                "fillcolor": EXCLUDED,
                "line": {"width": 0},
                f"{axis}0": edge,
                f"{axis}1": end,
                f"{other}ref": f"{other} domain",
                f"{other}0": 0,
                f"{other}1": 1,
                "label": {
                    "text": text,
                    "font": {"size": 12, "color": chart.MUTED},
                    "textangle": 0 if axis == "y" else -90,
                    "textposition": pair.worst_corner() if axis == "y" else "middle center",
                },
            }


def _bounds(front: Front, place: int) -> Iterator[tuple[float, str]]:
    """The values of a metric that a chosen trial may just have, with what says so."""
    metric, choice = list(front.directions)[place], front.choice
    if choice is None:
        return
    if place == 0 and choice.keep is not None:
        best = front.members[0].values[0]
        yield choice.keep * best, f"hpo.choose.keep: under {100 * choice.keep:g} % of the best"
    if metric in choice.limits:
        side = "under" if front.sign(place) > 0 else "above"
        limit = choice.limits[metric]
        yield limit, f"hpo.choose.limits: {side} {limit:g}"
