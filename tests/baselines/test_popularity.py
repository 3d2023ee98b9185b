import numpy as np

from tests.conftest import catalogue_of, events
from twotower.baselines.popularity import Popularity


def test_items_score_by_their_rows() -> None:
    frame = events(seed=2)
    catalogue = catalogue_of(frame)
    scorer = Popularity(catalogue.encode(frame), len(catalogue.items))
    scores = scorer.scores(np.array([0, 3])).numpy()
    want = frame["item_id"].value_counts()[catalogue.items.vocabulary.ids].to_numpy()
    assert np.array_equal(scores, [want, want])


def test_scores_may_be_overwritten() -> None:
    frame = events(seed=2)
    catalogue = catalogue_of(frame)
    scorer = Popularity(catalogue.encode(frame), len(catalogue.items))
    first = scorer.scores(np.array([0, 1]))
    want = first[1].clone()
    first[0] = -1.0
    assert first[1].equal(want)
    assert scorer.scores(np.array([0]))[0].equal(want)
