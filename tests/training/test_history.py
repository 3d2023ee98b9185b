from dataclasses import replace

import numpy as np
import pytest

from twotower.config.training import ModelConfig
from twotower.data.interactions import Interactions
from twotower.training.history import History

DAY = 86_400
ROWS = Interactions(
    user_idx=np.array([0, 1, 0, 0]),
    item_idx=np.array([2, 0, 1, 2]),
    weight=np.array([1, 4, 2, 3], dtype=np.float32),
    timestamp=np.array([0, 9, 4, 2]) * DAY,
)


def history(rows: Interactions = ROWS, **model) -> History:
    config = ModelConfig(user_exponent=0, item_exponent=0, popularity_exponent=0, **model)
    return History.of(rows, num_users=3, num_items=4, config=config)


def test_pairs_are_distinct_and_weigh_what_their_rows_do() -> None:
    actual = history()
    assert actual.lists.items.tolist() == [1, 2, 0]
    assert actual.lists.counts.tolist() == [2, 1, 0]
    assert actual.weight.tolist() == [2, 4, 4]
    assert actual.pair_of_row.tolist() == [1, 2, 0, 1]
    assert actual.matrix().toarray().tolist() == [[0, 2, 4, 0], [4, 0, 0, 0], [0, 0, 0, 0]]


def test_pooling_divides_by_totals() -> None:
    config = ModelConfig(user_exponent=0.5, item_exponent=0.3, popularity_exponent=0.7)
    actual = History.of(ROWS, 3, 4, config)
    expected = [2 / 6**0.5 / 2, 4 / 6**0.5 / 4, 4 / 4**0.5 / 4]
    assert actual.pooling == pytest.approx(expected)


def test_an_item_loses_weight_with_the_time_before_the_latest_one() -> None:
    # User 0's latest row is of day 4: item 1's. Item 2's rows are 4 and 2 days older.
    actual = history(history_half_life=2)
    assert actual.pooling == pytest.approx([2, 1 / 4 + 3 / 2, 4])
    assert actual.weight.tolist() == [2, 4, 4]


def test_an_item_loses_weight_with_each_later_event() -> None:
    # User 0 has item 2 on days 0 and 2, and item 1 on day 4: two, one and no later events.
    actual = history(history_decay=0.5)
    assert actual.pooling == pytest.approx([2, 1 / 4 + 3 / 2, 4])
    assert actual.weight.tolist() == [2, 4, 4]


def test_a_pair_counts_at_a_power_of_its_weight() -> None:
    # The pairs weigh 2, 1 + 3 and 4.
    assert history(weight_exponent=0.5).weight.tolist() == pytest.approx([2**0.5, 2, 2])
    once = history(weight_exponent=0, history_decay=0.5)
    assert once.matrix().toarray().tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert once.pooling == pytest.approx([1, (1 / 4 + 3 / 2) / 4, 1])  # the rows' mean recency


def test_events_of_one_second_are_equally_late() -> None:
    rows = replace(ROWS, timestamp=np.zeros(4, dtype=np.int64))
    assert history(rows, history_decay=0.5).pooling.tolist() == history().pooling.tolist()
    # User 0's rows 0 and 3 are of one second, before row 2.
    rows = replace(ROWS, timestamp=np.array([1, 1, 4, 1]) * DAY)
    assert history(rows, history_decay=0.5).pooling == pytest.approx([2, 1 / 2 + 3 / 2, 4])
