"""The data's own picture: how popular items are, how active users, and when things happened."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from twotower.common.units import DAY
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.report.figures import SPLIT_COLORS, framed

POINTS = 300
"""Of the long tail that are drawn."""
BARS = 60
"""Most bars over time."""
PERIODS = {"day": DAY, "week": 7 * DAY, "30 days": 30 * DAY, "year": 365 * DAY}


def draw_long_tail(rows: pd.DataFrame) -> Chart:
    """Rows of each item, from the most to the least popular, on logarithmic axes."""
    counts = rows["item_id"].value_counts().to_numpy()
    ranks = np.unique(np.geomspace(1, len(counts), POINTS).round().astype(int))
    shares = counts.cumsum() / counts.sum()
    line = go.Scatter(
        x=ranks,
        y=counts[ranks - 1],
        mode="lines",
        fill="tozeroy",
        line={"color": chart.LINE},
        customdata=shares[ranks - 1],
        hovertemplate="Item %{x}: %{y} rows<br>with those before it, %{customdata:.0%} of all"
        "<extra></extra>",
    )
    figure = framed(line, showlegend=False)
    figure.update_xaxes(type="log", title="Items, the most popular first", dtick=1)
    figure.update_yaxes(type="log", title="Rows", dtick=1)
    tenth = shares[max(1, len(counts) // 10) - 1]
    return Chart(
        "long_tail", f"Long tail: a tenth of the items has {tenth:.0%} of the rows", figure
    )


def draw_activity(rows: pd.DataFrame) -> Chart:
    """Number of users by their number of rows, in classes that double."""
    counts = rows["user_id"].value_counts().to_numpy()
    classes = np.bincount(np.floor(np.log2(counts)).astype(int))
    lows = 2 ** np.arange(len(classes))
    names = [str(low) if low == 1 else f"{low}\u2013{2 * low - 1}" for low in lows.tolist()]
    bars = go.Bar(
        x=names,
        y=classes,
        marker_color=chart.TRIAL,
        hovertemplate="%{y} users with %{x} rows<extra></extra>",
    )
    figure = framed(bars, showlegend=False)
    figure.update_xaxes(type="category", title="Rows of a user")
    figure.update_yaxes(title="Users")
    median = np.median(counts)
    return Chart("activity", f"Activity: half of the users have {median:g} rows or fewer", figure)


def draw_timeline(rows: pd.DataFrame) -> Chart:
    """Rows of each split over time."""
    title = "Events over time"
    first, last = rows["timestamp"].min(), rows["timestamp"].max()
    if first == last:
        return Chart("timeline", title, None, "The data has no times.")
    fits = (name for name, length in PERIODS.items() if (last - first) / length <= BARS)
    name = next(fits, "year")
    periods = (rows["timestamp"] - first) // PERIODS[name]
    starts = (first + np.arange(periods.max() + 1) * PERIODS[name]).astype("datetime64[s]")
    bars = [
        go.Bar(
            x=starts,
            y=np.bincount(periods[rows["split"] == split], minlength=len(starts)),
            name=split,
            marker_color=color,
            hovertemplate="%{x|%d %b %Y}: %{y} " + split + "<extra></extra>",
        )
        for split, color in SPLIT_COLORS.items()
    ]
    figure = framed(*bars, barmode="stack", bargap=0.1)
    figure.update_yaxes(title=f"Rows per {name}")
    return Chart("timeline", title, figure)
