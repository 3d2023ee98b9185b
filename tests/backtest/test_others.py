"""Older models on later users, by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.serving.conftest import make  # noqa: F401 - builds models of given vectors
from twotower.backtest.others import OlderModel
from twotower.data.features import Features
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.serving import Recommender


def catalogue(users: list[int], items: list[int]) -> Catalogue:
    return Catalogue(
        Entities(Vocabulary(pd.Index(users)), Features()),
        Entities(Vocabulary(pd.Index(items)), Features()),
    )


@pytest.fixture
def older(make: Callable[..., Recommender]) -> Recommender:  # noqa: F811
    # Users 7 and 8, items 30 and 20; item 20 was chosen twice, item 30 once.
    return make(
        [[1.0, 0.0], [0.0, 1.0]],
        [[2.0, 3.0], [5.0, 7.0]],
        seen=[(0, 1), (1, 0), (1, 1)],
        users=[7, 8],
        items=[30, 20],
    )


def test_scores_are_in_the_order_of_the_later_catalogue(older: Recommender) -> None:
    # Item 10 is new. User 7 has (1, 0): 5 for item 20, 2 for item 30; user 8 has (0, 1): 7 and 3.
    scorer = OlderModel(older.artifacts, catalogue([8, 7], [10, 20, 30]))
    assert scorer.scores(np.array([0, 1])).tolist() == [[-np.inf, 7, 3], [-np.inf, 5, 2]]


def test_new_users_get_what_was_popular(older: Recommender) -> None:
    scorer = OlderModel(older.artifacts, catalogue([9], [10, 20, 30]))
    assert scorer.scores(np.array([0])).tolist() == [[-np.inf, 2, 1]]


def test_without_new_items_nothing_is_left_out(older: Recommender) -> None:
    scorer = OlderModel(older.artifacts, catalogue([7], [30, 20]))
    assert scorer.scores(np.array([0])).tolist() == [[2, 5]]
