import numpy as np
import pandas as pd
import pytest

from twotower.common.units import DAY
from twotower.report.data_charts import BARS, draw_activity, draw_long_tail, draw_timeline


def rows_of(items: list[int], users: list[int] | None = None, **columns: object) -> pd.DataFrame:
    users = users or [0] * len(items)
    return pd.DataFrame({"item_id": items, "user_id": users, **columns})


def test_the_long_tail_by_hand() -> None:
    chart = draw_long_tail(rows_of([7, 7, 7, 7, 8, 8, 9, 9, 5, 6]))
    assert chart.title == "Long tail: a tenth of the items has 40% of the rows"  # one of five
    (line,) = chart.figure.data  # type: ignore[union-attr]
    assert list(line.x) == [1, 2, 3, 4, 5]
    assert list(line.y) == [4, 2, 2, 1, 1]
    assert list(line.customdata) == pytest.approx([0.4, 0.6, 0.8, 0.9, 1.0])


def test_a_long_tail_of_many_items_stays_a_small_figure() -> None:
    items = np.repeat(np.arange(20_000), 2).tolist()
    (line,) = draw_long_tail(rows_of(items)).figure.data  # type: ignore[union-attr]
    assert len(line.x) <= 300
    assert (line.x[0], line.x[-1]) == (1, 20_000)


def test_activity_by_hand() -> None:
    users = [1, 2, 2, 3, 3, 3, *[4] * 8]  # 1, 2, 3 and 8 rows
    chart = draw_activity(rows_of([0] * len(users), users))
    (bars,) = chart.figure.data  # type: ignore[union-attr]
    assert dict(zip(bars.x, bars.y, strict=True)) == {
        "1": 1,
        "2\u20133": 2,
        "4\u20137": 0,
        "8\u201315": 1,
    }
    assert chart.title == "Activity: half of the users have 2.5 rows or fewer"


@pytest.mark.parametrize(
    ("days", "period"), [(59, "day"), (61, "week"), (400, "week"), (421, "30 days"), (9e4, "year")]
)
def test_bars_are_few_enough_to_be_seen(days: float, period: str) -> None:
    times = np.array([0, days * DAY], dtype=np.int64)
    rows = rows_of([1, 2], timestamp=times, split=["train", "test"])
    figure = draw_timeline(rows).figure
    assert figure is not None
    assert figure.layout.yaxis.title.text == f"Rows per {period}"
    assert len(figure.data[0].x) <= BARS + 1 or period == "year"


def test_every_row_is_in_a_bar_of_its_split() -> None:
    rng = np.random.default_rng(0)
    splits = rng.choice(["train", "validation", "test"], 500)
    times = rng.integers(0, 50 * DAY, 500)
    figure = draw_timeline(rows_of([1] * 500, timestamp=times, split=splits)).figure
    assert figure is not None
    assert {bars.name: sum(bars.y) for bars in figure.data} == {
        name: int((splits == name).sum()) for name in ("train", "validation", "test")
    }


def test_data_without_times_says_so() -> None:
    chart = draw_timeline(rows_of([1, 2], timestamp=[0, 0], split=["train", "test"]))
    assert (chart.figure, chart.reason) == (None, "The data has no times.")
