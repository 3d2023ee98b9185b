import numpy as np
import pytest

from tests.assessment.boards import board, interactions, lists, target
from twotower.assessment.by_metric import by_metric
from twotower.assessment.scoreboard import Scoreboard


@pytest.fixture
def scored() -> Scoreboard:
    """The model finds everything first, one reference everything second, the other nothing."""
    users, order = 30, np.arange(4)
    wanted = target(lists(*([1] for _ in range(users))), lists(*([0] for _ in range(users))), 4)
    known = interactions([(user, 0) for user in range(users)])
    first, last = ([[float(x) for x in -abs(order - best)]] * users for best in (1, 3))
    second = [[0.0, 1.0, 2.0, 0.0]] * users
    return board(wanted, known, "recall_at_2", optimized=first, ease=second, popularity=last)


def test_it_is_against_the_strongest_by_the_objective(scored: Scoreboard) -> None:
    assert scored.strongest() == "ease"
    found = by_metric(scored, seed=1)
    assert set(found) == set(scored.random.per_user)
    assert found["recall_at_1"]["difference"] == 1.0
    assert found["mrr"]["difference"] == 0.5
    assert found["recall_at_2"] == {"difference": 0.0, "p_holm": 1.0, "p_value": 1.0}


def test_p_values_are_adjusted_over_the_metrics(scored: Scoreboard) -> None:
    found = by_metric(scored, seed=1)
    assert found["mrr"]["p_value"] < 0.001
    assert found["mrr"]["p_holm"] == pytest.approx(len(found) * found["mrr"]["p_value"])
