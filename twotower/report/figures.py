"""What the charts of this room share: a frame without a title, which the page gives them."""

from typing import Any

import plotly.graph_objects as go

from twotower.plots import chart

SPLIT_COLORS = {"train": chart.LINE, "validation": chart.TRIAL, "test": chart.BEST}
HEIGHT = 340
"""Of a chart, in pixels."""
BAR = 30
"""Height of a horizontal bar with its gap, in pixels."""


def framed(*traces: Any, height: int = HEIGHT, **layout: Any) -> Any:
    """A figure that fits a column of any width, on whatever is behind it."""
    frame = {
        "template": "plotly_white",  # here: a figure made without one gets another first
        "autosize": True,
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "font": {"family": "Arial, Helvetica, sans-serif", "size": 12, "color": chart.INK},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
    }
    figure = go.Figure(list(traces), frame)
    figure.update_layout(layout)
    figure.update_xaxes(automargin=True, gridcolor=chart.GRID, zeroline=False)
    figure.update_yaxes(automargin=True, gridcolor=chart.GRID, zeroline=False)
    return figure
