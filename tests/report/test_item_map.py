from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twotower.artifacts import Artifacts
from twotower.data.features import Categorical, Features, Numeric
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.report.item_map import (
    COLORS,
    OTHERS,
    draw_item_map,
    item_groups,
    principal_components,
)
from twotower.serving import Recommender

Make = Callable[..., Recommender]


def with_features(model: Artifacts, **columns: Any) -> Artifacts:
    """The model with these side features of its items."""
    items = Entities(Vocabulary(pd.Index(model.item_ids.all)), Features(columns))
    changed = replace(model)
    changed.__dict__["catalogue"] = Catalogue(items, items)
    return changed


def test_points_on_a_line_have_one_component() -> None:
    places, explained = principal_components(np.array([[0.0, 0], [3, 4], [6, 8]]))
    assert explained == pytest.approx(1)
    assert places == pytest.approx(np.array([[-5.0, 0], [0, 0], [5, 0]]), abs=1e-9)


def test_components_are_those_of_the_covariance() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    places, explained = principal_components(vectors)
    variances = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]
    assert places.var(axis=0, ddof=1) == pytest.approx(variances[:2])
    assert explained == pytest.approx(variances[:2].sum() / variances.sum())
    swapped, _ = principal_components(vectors[:, ::-1])
    assert np.abs(swapped) == pytest.approx(np.abs(places))


def test_many_dimensions_give_the_same_map_every_time() -> None:
    vectors = np.random.default_rng(0).normal(size=(900, 600))
    vectors[:, :2] *= [40, 20]
    (first, explained), (second, _) = principal_components(vectors), principal_components(vectors)
    assert np.array_equal(first, second)
    total = vectors.var(axis=0).sum()
    assert explained == pytest.approx(vectors[:, :2].var(axis=0).sum() / total, rel=0.02)


def test_equal_vectors_explain_nothing() -> None:
    places, explained = principal_components(np.ones((3, 2)))
    assert (places.tolist(), explained) == ([[0, 0]] * 3, 0)


def test_items_are_coloured_by_the_feature_with_the_fewest_categories(make: Make) -> None:
    model = make([[1.0, 0]], np.eye(4)[:, :2], [(0, 0)]).artifacts
    brand = Categorical(np.array([1, 2, 3, 0]), ("x", "y", "z"))
    kind = Categorical(np.array([2, 1, 0, 2]), ("a<b", "c"))
    only = Categorical(np.ones(4, np.int64), ("same",))
    price = Numeric(np.zeros(4, np.float32), 0.0, 1.0)
    groups = item_groups(with_features(model, brand=brand, kind=kind, one=only, price=price))
    assert (groups.feature, groups.names) == ("kind", ["c", "a<b", "", "c"])
    assert [groups.color(item) for item in range(4)] == [COLORS[1], COLORS[0], OTHERS, COLORS[1]]
    assert item_groups(with_features(model, price=price)).feature == ""


def test_only_the_largest_categories_have_a_colour(make: Make) -> None:
    num_items = len(COLORS) + 2
    model = make([[1.0, 0]], np.eye(num_items)[:, :2], [(0, 0)]).artifacts
    names = tuple(f"c{number:02d}" for number in range(num_items - 1))
    codes = np.array([*range(1, num_items), num_items - 1])  # the last category has two items
    groups = item_groups(with_features(model, kind=Categorical(codes, names)))
    assert len(groups.colors) == len(COLORS)
    assert groups.color(num_items - 1) != OTHERS
    assert groups.color(num_items - 3) == OTHERS


def test_the_map_shows_titles_and_escapes_them(make: Make) -> None:
    model = make([[1.0, 0]], [[0, 1], [1, 0], [1, 1]], [(0, 0)], items=["a", "b", "c"]).artifacts
    kind = Categorical(np.array([1, 2, 0]), ("<i>", "k"))
    model = with_features(model, kind=kind)
    figure = draw_item_map(model, {"a": "A & <b>", "c": "C"}, item_groups(model)).figure
    assert figure is not None
    texts = {cloud.name: list(cloud.text) for cloud in figure.data}
    assert texts == {
        "&lt;i&gt;": ["A &amp; &lt;b&gt;<br>&lt;i&gt;"],
        "k": ["item b<br>k"],
        "others": ["C"],
    }


def test_one_dimension_is_no_map(make: Make) -> None:
    model = make([[1.0]], [[0.0], [1.0]], [(0, 0)]).artifacts
    chart = draw_item_map(model, {}, item_groups(model))
    assert (chart.figure, chart.reason) == (None, "A map takes at least two dimensions.")
