"""The items' vectors as a map of two dimensions, coloured by a categorical feature."""

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from twotower.artifacts import Artifacts, Id
from twotower.common.arrays import Float64Array, Int64Array
from twotower.data.categories import Categorical
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.report.figures import framed
from twotower.serving.query_vectors import tower_width

MOST = 2000
"""Items that are drawn, the most popular."""
COLORS = ("#0072b2", "#d9730d", "#009e73", "#cc79a7", "#8c6d1f", "#56b4e9", "#7b4fb5", "#b3261e",
          "#5a7d2a", "#4a5560")  # fmt: skip
OTHERS = "#9aa5b1"


@dataclass(frozen=True)
class Groups:
    """The categories that items are coloured by.

    Attributes:
        feature: its name; empty: the items have no categorical feature.
        names: [num_items] category of each item; empty where unknown.
        colors: of the largest categories; all others have the colour OTHERS.
    """

    feature: str
    names: list[str]
    colors: Mapping[str, str]

    def color(self, item: int) -> str:
        """Of an item by its index."""
        return self.colors.get(self.names[item], OTHERS)


def item_groups(model: Artifacts) -> Groups:
    """The categorical feature with the fewest categories, of at least two."""
    columns = model.catalogue.items.features.columns.items()
    usable = {
        name: feature
        for name, feature in columns
        if isinstance(feature, Categorical) and len(feature.categories) > 1
    }
    if not usable:
        return Groups("", [""] * len(model.item_ids), {})
    name = min(usable, key=lambda name: (len(usable[name].categories), name))
    texts = ("", *usable[name].categories)
    names = [texts[code] for code in usable[name].codes]
    largest = [name for name, _ in Counter(filter(None, names)).most_common(len(COLORS))]
    return Groups(name, names, dict(zip(sorted(largest), COLORS, strict=False)))


def draw_item_map(model: Artifacts, titles: Mapping[Id, str], groups: Groups) -> Chart:
    """The most popular items at their first two principal components."""
    shown = np.sort(np.argsort(-model.item_counts, kind="stable")[:MOST])
    vectors = model.item_vecs[shown, : tower_width(model)].astype(np.float64)
    if min(vectors.shape) < 2:
        return Chart("item_map", "Map of the items", None, "A map takes at least two dimensions.")
    places, explained = principal_components(vectors)
    of = f", coloured by {groups.feature}" if groups.feature else ""
    title = f"Map of {len(shown):,} items{of}: two components with {explained:.0%} of the variance"
    ids = model.item_ids.decode(shown)
    texts = [_describe(titles.get(key, f"item {key}"), groups.names[item])
             for key, item in zip(ids, shown.tolist(), strict=True)]  # fmt: skip
    colors = np.array([groups.color(item) for item in shown.tolist()])
    clouds = [(name, color) for name, color in (*groups.colors.items(), ("others", OTHERS))
              if (colors == color).any()]  # fmt: skip
    traces = [_cloud(name, color, np.flatnonzero(colors == color), places, texts)
              for name, color in clouds]  # fmt: skip
    figure = framed(*traces, height=520, showlegend=bool(groups.feature))
    figure.update_xaxes(showticklabels=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, showgrid=False)
    return Chart("item_map", title, figure)


def principal_components(vectors: Float64Array) -> tuple[Float64Array, float]:
    """[num_vectors, 2] coordinates of the largest variance, and their share of all of it.

    Args:
        vectors: [num_vectors, dim], both at least 2.
    """
    from sklearn.decomposition import PCA

    if not np.ptp(vectors, axis=0).any():
        return np.zeros((len(vectors), 2)), 0.0
    model = PCA(2, random_state=0)  # of thousands of dimensions, by random projections
    places: Float64Array = model.fit_transform(vectors)
    return places, float(model.explained_variance_ratio_.sum())


def _cloud(
    name: str, color: str, rows: Int64Array, places: Float64Array, texts: list[str]
) -> go.Scatter:
    return go.Scatter(
        x=places[rows, 0].round(4),
        y=places[rows, 1].round(4),
        mode="markers",
        name=chart.value_text(name),
        marker={"size": 6, "color": color, "opacity": 0.75},
        text=[texts[row] for row in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _describe(title: str, group: str) -> str:
    return html.escape(title) + (f"<br>{html.escape(group)}" if group else "")
