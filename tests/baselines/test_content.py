"""Baselines of content, each score by hand."""

import numpy as np
import pytest

from tests.assessment.boards import interactions
from twotower.baselines.baseline import wanted_baselines
from twotower.baselines.content import CategoryPopularity, ContentKNN
from twotower.baselines.plan import TrainingData
from twotower.data.features import Categorical, Features, Numeric

SHELF = Categorical(np.array([1, 1, 2, 1, 0]), ("a", "b"))
"""Items 0, 1 and 3 are on shelf a, 2 is on b, and of 4 nothing is known."""
ROWS = interactions([(0, 0), (0, 1), (0, 0), (1, 2)])
"""Items 3 and 4 are cold."""


def data(**columns: object) -> TrainingData:
    return TrainingData(ROWS, 3, 5, Features(columns))


def test_content_knn_sums_cosines_to_the_history() -> None:
    found = ContentKNN(data(shelf=SHELF)).scores(np.array([0, 1, 2])).tolist()
    assert found == [[2, 2, 0, 2, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]


def test_lengths_do_not_count() -> None:
    price = Numeric(np.array([3, 0, 0, 4, 0], np.float32), 0.0, 1.0)
    found = ContentKNN(data(price=price)).scores(np.array([0]))[0].tolist()
    assert found == pytest.approx([1, 0, 0, 1, 0])


def test_category_popularity_of_everyone_and_of_the_user() -> None:
    # a: 3 rows of its 2 items that have any, so 1.5 on average; b: 1 of 1; the largest is 1.5.
    everyone = CategoryPopularity(data(shelf=SHELF), personal=0).scores(np.array([0, 2]))
    assert everyone.flatten().tolist() == pytest.approx([1, 1, 2 / 3, 1, 0] * 2)
    own = CategoryPopularity(data(shelf=SHELF), personal=10).scores(np.array([0, 1, 2]))
    assert own[0].tolist() == pytest.approx([11, 11, 2 / 3, 11, 0])
    assert own[1].tolist() == pytest.approx([1, 1, 10 + 2 / 3, 1, 0])
    assert own[2].tolist() == pytest.approx([1, 1, 2 / 3, 1, 0])


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([], set()),
        ([SHELF], {"content_knn", "category_popularity"}),
        ([Numeric(np.zeros(5, np.float32), 0.0, 1.0)], {"content_knn"}),
    ],
)
def test_they_are_wanted_where_cold_items_have_features(features, expected) -> None:
    usual = {row.name for row in wanted_baselines(())}
    assert {row.name for row in wanted_baselines((), features)} == usual | expected
