"""What the rows, and the tables, are made of."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.ingest.conftest import Shop
from twotower.common.errors import DataError
from twotower.config import parse_config
from twotower.config.declared_features import FeatureConfig
from twotower.ingest import prepare
from twotower.ingest.data_profile import read_profile, write_last_run
from twotower.ingest.drift import (
    SKETCH,
    FeatureProfile,
    new_categories,
    numbers_index,
    popularity_index,
    profile_feature,
    sketch,
    stability_index,
)
from twotower.ingest.feature_columns import RawFeature


def feature(kind: str, values: pa.Array) -> FeatureProfile:
    return profile_feature(RawFeature(FeatureConfig(kind=kind), pa.chunked_array([values])))


def test_index_by_hand() -> None:
    # Shares .5, .5 and then .8, .2: .3 ln(1.6) - .3 ln(.4) = .3 ln 4, less 1 (1/50 + 1/100).
    found = stability_index(np.array([25, 25]), np.array([80, 20]))
    assert found == pytest.approx(0.3 * math.log(4) - 0.03)


def test_a_group_that_is_gone_counts_as_a_small_share() -> None:
    found = stability_index(np.array([5000, 5000]), np.array([10_000, 0]))
    low = 1e-4
    assert found == pytest.approx(
        0.5 * math.log(1 / 0.5) + (low - 0.5) * math.log(low / 0.5) - 2e-4 - 1e-4, abs=2e-4
    )


def test_chance_alone_is_no_drift() -> None:
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    found = [
        stability_index(rng.multinomial(50, shares), rng.multinomial(50, shares))
        for _ in range(200)
    ]
    assert np.mean(np.array(found) > 0.25) < 0.2  # without the correction two in three


def test_popularity_is_that_of_the_items_of_the_last_run() -> None:
    before = {f"{n:016x}": 10 for n in range(10)}
    assert popularity_index(before, dict.fromkeys(before, 70)) == 0.0
    assert popularity_index(before, {**before, "f" * 16: 10_000}) == 0.0  # a new item
    # Ten groups of an item each, of which one now has half of the rows, and nine 1/18 each:
    # (.5 - .1) ln 5 + 9 (1/18 - .1) ln(5/9), less 9 (1/100 + 1/180).
    now = {**before, f"{0:016x}": 90}
    expected = 0.4 * math.log(5) + 9 * (1 / 18 - 0.1) * math.log(5 / 9) - 9 * (1 / 100 + 1 / 180)
    assert popularity_index(before, now) == pytest.approx(expected)
    assert popularity_index(before, {"f" * 16: 1}) == 0.0  # all are new, which has its own rule


def test_many_categories_are_compared_by_a_sample() -> None:
    before = sketch({f"{n:016x}": 1 for n in range(0, 20_000, 2)})
    now = sketch({f"{n:016x}": 1 for n in range(20_000)})
    assert len(before) == SKETCH
    assert new_categories(before, now) == pytest.approx(0.5, abs=0.01)
    assert new_categories({"a": 3}, {"a": 6, "b": 2}) == 0.25


def test_profiles_of_features() -> None:
    assert feature("numeric", pa.array([1.0, math.nan, 3.0, 2.0])) == FeatureProfile(
        0.25, None, [*[1.0] * 34, *[2.0] * 33, *[3.0] * 34], 3
    )
    categories = feature("categorical", pa.array(["a", None, "b", "a"]))
    assert (categories.missing, sorted((categories.categories or {}).values())) == (0.25, [1, 2])
    lists = feature("multi_valued", pa.array([["a", "b"], [], None, ["a"]]))
    assert (lists.missing, sorted((lists.categories or {}).values())) == (0.5, [1, 2])
    assert feature("text", pa.array(["some words", None])) == FeatureProfile(0.5)


def test_prices_in_another_currency() -> None:
    prices = np.linspace(1, 100, 1000)
    before, same, other = (
        feature("numeric", pa.array(prices * factor)) for factor in (1.0, 1.0, 1.3)
    )
    assert numbers_index(before, same) == 0.0
    assert numbers_index(before, other) > 0.25


ROWS = [(user, item, "purchase" if (user + item) % 4 == 0 else "view") for user in (1, 2)
        for item in [10] * 60 + [11] * 30 + [12] * 10]  # fmt: skip
HEADER = "user_id,item_id,event\n"


class Again:
    """A shop whose data is prepared once more, and compared with that of the first time."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.last_run = shop, shop.folder / "last_run.json"
        self.rows(ROWS)
        shop.run()
        write_last_run(self.last_run, read_profile(shop.output))

    def rows(self, rows: list[tuple[int, int, str]]) -> None:
        text = "".join(f"{user},{item},{event}\n" for user, item, event in rows)
        self.shop.write("interactions.csv", HEADER + text)

    def report(self, **guard: Any) -> dict[str, Any]:
        config = parse_config({**self.shop.params(), "guard": guard})
        return prepare(config, self.shop.output, self.shop.metrics, self.last_run)

    def changes(self) -> dict[str, float]:
        return {change["rule"]: change["value"] for change in self.report()["changes"]}


@pytest.fixture
def again(shop: Shop) -> Again:
    return Again(shop)


def test_the_same_data_has_not_changed(again: Again) -> None:
    changes = again.changes()
    assert changes == {
        "min_rows": 1.0,
        "max_rows": 1.0,
        **dict.fromkeys(["max_new_users", "max_new_items", "max_event_psi"], 0.0),
        **dict.fromkeys(["max_popularity_psi", "max_more_missing"], 0.0),
        **dict.fromkeys(["max_new_categories", "max_number_psi"], 0.0),
    }


def test_the_profile_is_the_same_bytes_and_holds_no_values_of_people(again: Again) -> None:
    first = (again.shop.output / "profile.json").read_bytes()
    again.report()
    assert (again.shop.output / "profile.json").read_bytes() == first
    assert b"Madrid" not in first
    assert b"office" not in first


def refusal(again: Again, **guard: Any) -> str:
    with pytest.raises(DataError) as raised:
        again.report(**guard)
    return str(raised.value)


def test_events_that_stopped(again: Again) -> None:
    again.rows([(user, item, "view") for user, item, _ in ROWS])
    # Of 200 rows 90: .45 ln(.45 / .0001) + .45 ln(1 / .55) - (1/200 + 1/200) = 4.04.
    expected = "other shares (PSI 4.04), 'purchase' 0.0% of the rows after 45.0% (guard.max_event"
    assert expected in refusal(again)
    assert "changes" in again.report(max_event_psi=None)


def test_items_that_are_popular_now_were_not(again: Again) -> None:
    swapped = {10: 12, 12: 10, 11: 11}
    again.rows([(user, swapped[item], event) for user, item, event in ROWS])
    assert "the popularity of the last run's items has changed (PSI " in refusal(again)


def test_categories_numbers_and_missing_values(again: Again) -> None:
    again.shop.write("users.csv", "user_id,city\n1,\n2,\n")
    again.shop.write("items.csv", "item_id,category,price\n10,shed,\n11,home,\n12,home,\n")
    message = refusal(again)
    assert (
        "users.city has no value in 100% of the rows, after 0% (guard.max_more_missing: 0.1)"
        in message
    )
    assert "items.price has no value in 100% of the rows, after 33%" in message
    assert "33% of the values of items.category are new categories (guard.max_new_cat" in message


def test_a_feature_that_is_gone_is_missing_everywhere(again: Again) -> None:
    again.shop.data["users"] = {"features": {"city": {"kind": "categorical", "optional": True}}}
    again.shop.write("users.csv", "user_id\n1\n2\n")
    assert "users.city has no value in 100% of the rows, after 0%" in refusal(again)
