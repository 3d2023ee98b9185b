"""Split strategies through the whole stage."""

import json

import numpy as np
import pandas as pd
import pytest

from twotower.common.arrays import Int8Array
from twotower.common.errors import ConfigError, DataError
from twotower.data.prepared import PARTS
from twotower.data.split_input import SplitInput
from twotower.data.splits import SPLIT_STRATEGIES, TEST, TRAIN, SplitStrategy
from twotower.ingest.summary import summary

REPORTS = {"data/prepared/profile.json", "metrics/data.json"}
"""Of all rows, test rows included: no stage reads them."""

JANUARY = (
    "user_id,item_id,timestamp,event\n"
    "1,10,2024-01-01,view\n"
    "1,11,2024-01-02,view\n"
    "2,10,2024-01-03,view\n"
    "2,11,2024-01-04,view\n"
    "1,12,2024-01-05,view\n"
    "1,10,2024-01-06,view\n"
)


def many(num_users: int, per_user: int) -> str:
    """Each user's events are an hour apart, and each user begins a day after the one before."""
    lines = [
        f"{user},{(user * 7 + event) % 13},{user * 86_400 + event * 3600}"
        for user in range(num_users)
        for event in range(per_user)
    ]
    return "\n".join(["user,item,timestamp", *lines]) + "\n"


def keys(frame: pd.DataFrame) -> list[tuple[int, ...]]:
    return sorted(map(tuple, frame[["user_id", "item_id", "timestamp"]].to_numpy().tolist()))


def test_cutoff_by_hand(shop):
    shop.write("interactions.csv", JANUARY)
    shop.split = {"strategy": "cutoff", "validation": 0.34, "test": 0.2}
    report = shop.run()
    # Of 6 events, test takes the last one (floor 1.2) and validation the two before (floor 2.04).
    assert report["rows"] == {"train": 3, "validation": 2, "test": 1, "total": 6}
    assert report["period"] == {
        "train": {"first": "2024-01-01T00:00:00Z", "last": "2024-01-03T00:00:00Z"},
        "validation": {"first": "2024-01-04T00:00:00Z", "last": "2024-01-05T00:00:00Z"},
        "test": {"first": "2024-01-06T00:00:00Z", "last": "2024-01-06T00:00:00Z"},
    }
    assert report["cold"]["validation"] == {"users": 0, "items": 1, "rows": 1}  # item 12
    assert report["hidden"]["test"] == {
        "repeated_pair_share": 1.0,
        "tied_rows": 0,
        "train_rows_later_share": 0.0,
    }


def test_cutoff_counts_the_users_who_begin_later(shop):
    shop.bare(many(num_users=10, per_user=5))
    shop.split = {"strategy": "cutoff", "validation": 0.1, "test": 0.3}
    report = shop.run()
    assert report["rows"] == {"train": 30, "validation": 5, "test": 15, "total": 50}
    assert report["cold"]["validation"]["users"] == 1
    assert report["cold"]["test"]["users"] == 3
    assert report["cold"]["test"]["rows"] == 15
    assert report["users"]["vocabulary"] == 6  # without a users table, only train is known
    assert report["hidden"]["test"]["train_rows_later_share"] == 0


def test_cutoff_needs_times(shop):
    shop.bare("user,item\n1,13\n2,11\n1,12\n2,10\n")
    shop.split = {"strategy": "cutoff"}
    with pytest.raises(DataError, match=r"interactions\.csv: split\.strategy: cutoff.*timestamp"):
        shop.run()
    assert not shop.metrics.exists()
    assert not shop.output.exists()


def test_cutoff_needs_a_time_of_every_event(shop):
    shop.write("interactions.csv", JANUARY.replace("2,11,2024-01-04", "2,11,"))
    shop.split = {"strategy": "cutoff"}
    with pytest.raises(DataError, match=r"column 'timestamp'.*line 5"):
        shop.run()


def test_cutoff_needs_as_many_times_as_splits(shop):
    shop.bare("user,item,timestamp\n1,13,1\n2,11,1\n1,12,2\n2,10,2\n")
    shop.split = {"strategy": "cutoff", "test": 0}
    assert shop.run()["rows"] == {"train": 2, "validation": 2, "test": 0, "total": 4}
    shop.split["test"] = 0.1
    with pytest.raises(DataError, match="at least 3 different event times for 3 splits, got 2"):
        shop.run()


def test_random_takes_as_many_of_each_user_as_temporal(shop):
    shop.bare(many(num_users=10, per_user=5))
    counts = {}
    for strategy in ("temporal", "random"):
        shop.split = {"strategy": strategy, "validation": 0.4, "test": 0.2}
        report = shop.run()
        counts[strategy] = [
            shop.read(name)["user_id"].value_counts().sort_index().tolist()
            for name in ("train", "validation", "test")
        ]
    assert counts["random"] == counts["temporal"] == [[2] * 10, [2] * 10, [1] * 10]
    assert report["cold"]["test"]["users"] == 0
    assert report["hidden"]["test"]["train_rows_later_share"] > 0
    assert keys(shop.everything()) == keys(pd.read_csv(shop.root / "interactions.csv").rename(
        columns={"user": "user_id", "item": "item_id"}
    ))  # fmt: skip


def test_random_depends_on_the_seed_alone(shop):
    shop.bare(many(num_users=10, per_user=5))
    shop.split = {"strategy": "random", "validation": 0.4, "test": 0.2}
    shop.run(seed=1)
    first = shop.files()
    shop.run(seed=1)
    assert shop.files() == first
    shop.run(seed=2)
    assert shop.files()["data/prepared/test.parquet"] != first["data/prepared/test.parquet"]


def test_random_is_not_moved_by_new_users(shop):
    shop.split = {"strategy": "random", "validation": 0.4, "test": 0.2}
    held_out = []
    for num_users in (5, 10):
        shop.bare(many(num_users, per_user=5))
        shop.run()
        frame = shop.read("test")
        held_out.append(keys(frame[frame["user_id"] < 5]))
    assert held_out[0] == held_out[1]


def test_random_works_with_text_ids_and_without_times(shop):
    shop.bare("user,item\na,x\na,y\na,z\nb,x\nb,y\n")
    shop.split = {"strategy": "random", "validation": 0, "test": 0.1}
    report = shop.run()
    assert report["rows"] == {"train": 3, "validation": 0, "test": 2, "total": 5}
    assert report["period"] == {"train": None, "validation": None, "test": None}
    assert sorted(shop.read("test")["user_id"]) == ["a", "b"]


@pytest.mark.parametrize("strategy", ["cutoff", "random"])
def test_no_test_split(shop, strategy):
    shop.bare(many(num_users=4, per_user=5))
    shop.split = {"strategy": strategy, "validation": 0.2, "test": 0}
    report = shop.run()
    assert report["rows"] == {"train": 16, "validation": 4, "test": 0, "total": 20}
    assert report["period"]["test"] is None
    assert json.loads(shop.metrics.read_text())["hidden"]["test"]["repeated_pair_share"] is None


@pytest.mark.parametrize("strategy", ["cutoff", "random", "users"])
def test_what_is_in_the_test_rows_does_not_reach_the_search(shop, strategy):
    shop.bare(many(num_users=6, per_user=5))
    shop.split = {"strategy": strategy, "validation": 0.2, "test": 0.2}
    shop.run()
    before = shop.files()
    test = {(row.user_id, row.timestamp) for row in shop.read("test").itertuples()}
    frame = pd.read_csv(shop.root / "interactions.csv")
    held_out = np.array([pair in test for pair in zip(frame.user, frame.timestamp, strict=True)])
    frame.loc[held_out, "item"] = 99
    shop.bare(frame.to_csv(index=False))
    shop.run()
    after = shop.files()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"data/prepared/test.parquet", *REPORTS}


def test_what_is_known_of_test_users_does_not_reach_the_search_either(shop):
    shop.bare(many(num_users=8, per_user=5))
    shop.split = {"strategy": "users", "validation": 0.2, "test": 0.2}
    shop.run()
    before, users = shop.files(), shop.read("test")["user_id"].unique()
    frame = pd.read_csv(shop.root / "interactions.csv")
    frame.loc[frame["user"].isin(users), "item"] = 99
    shop.bare(frame.to_csv(index=False))
    shop.run()
    after = shop.files()
    changed = {name for name in before if before[name] != after[name]}
    held_out = {f"data/prepared/{name}.parquet" for name in ("test", "test_history")}
    assert changed == held_out | REPORTS


def test_users_who_are_held_out_whole(shop):
    shop.bare(many(num_users=12, per_user=5))
    shop.split = {"strategy": "users", "validation": 0.2, "test": 0.2}
    report = shop.run()
    rows, users = report["rows"], report["users"]
    assert rows["total"] == 60
    assert rows["train"] == 5 * users["train"] == 5 * users["vocabulary"]
    for name in ("validation", "test"):
        assert rows[name] == users[name] == users[f"{name}_history"] > 0
        assert rows[f"{name}_history"] == 4 * users[name]
        assert report["cold"][name]["users"] == 0  # their histories are known
        later, earlier = shop.read(name), shop.read(f"{name}_history")
        assert set(later["user_id"]) == set(earlier["user_id"])
        assert not set(later["user_id"]) & set(shop.read("train")["user_id"])
    assert keys(pd.concat([shop.read(name) for name in PARTS])) == keys(
        pd.read_csv(shop.root / "interactions.csv").rename(
            columns={"user": "user_id", "item": "item_id"}
        )
    )
    assert f"test: {users['test']} rows, {users['test']} new users, known by" in summary(report)


def test_baskets_of_new_users_are_kept_together_by_ties(shop):
    shop.bare("user,item,timestamp\n" + "".join(
        f"{user},{item},{item // 3}\n" for user in range(9) for item in range(10)
    ))  # fmt: skip
    shop.split = {"strategy": "users", "validation": 0, "test": 0.3}
    assert "rows that are folded in; split.ties: together keeps" in summary(shop.run())
    shop.split["ties"] = "together"
    assert "keeps such rows together" not in summary(shop.run())


def test_strategies_that_hold_out_no_users_name_no_histories(shop):
    shop.bare(many(num_users=4, per_user=5))
    assert set(shop.run()["rows"]) == {"train", "validation", "test", "total"}
    for name in PARTS[3:]:
        assert shop.read(name).empty


def test_a_strategy_is_one_row(shop, monkeypatch):
    def first_event(events: SplitInput) -> Int8Array:
        labels = np.full(len(events.users), TRAIN, dtype=np.int8)
        labels[np.unique(events.users, return_index=True)[1]] = TEST
        return labels

    made_up = SplitStrategy("first", "each user's first event", first_event, needs_times=True)
    monkeypatch.setitem(SPLIT_STRATEGIES, "first", made_up)
    shop.bare(many(num_users=4, per_user=5))
    shop.split = {"strategy": "first"}
    assert shop.run()["rows"] == {"train": 16, "validation": 0, "test": 4, "total": 20}
    assert shop.read("test")["timestamp"].tolist() == [user * 86_400 for user in range(4)]
    shop.bare("user,item\n1,13\n2,11\n")
    with pytest.raises(DataError, match=r"split\.strategy: first needs the time of each event"):
        shop.run()


def test_a_strategy_without_a_row_is_an_error(shop):
    shop.split = {"strategy": "latest"}
    names = "temporal, cutoff, random, leave_last_out, users, given"
    with pytest.raises(
        ConfigError, match=rf"split\.strategy: must be one of {names}, got 'latest'"
    ):
        shop.run()


@pytest.mark.parametrize("strategy", ["temporal", "random"])
def test_items_are_held_out_whole(shop, strategy):
    shop.bare(many(num_users=30, per_user=9))
    shop.split |= {"strategy": strategy, "cold_items": 0.2}
    report = shop.run()
    of_split = {name: shop.read(name) for name in ("train", "validation", "test")}
    for name, other in (("validation", "test"), ("test", "validation")):
        rows = of_split[name]
        before = pd.concat([of_split["train"], of_split[other]])["item_id"]
        alone = rows[~rows["item_id"].isin(before)]
        held_out = report["held_out_items"][name]
        assert held_out == {"items": alone["item_id"].nunique(), "rows": len(alone)}
        assert held_out["items"] > 0
        assert f"{held_out['items']} item" in summary(report)
    assert len(shop.everything()) == 270  # nothing is lost


def test_without_held_out_items_nothing_is_said_of_them(shop):
    assert "held_out_items" not in shop.run()


@pytest.mark.parametrize(
    ("split", "rule"),
    [
        ({"strategy": "given", "column": "fold"}, "cold_items must be 0 with strategy: given"),
        ({"validation": 0.0, "test": 0.0}, "cold_items needs a split to hold items out for"),
        ({"cold_items": 0.5}, "split.cold_items: must be less than 0.5"),
    ],
)
def test_where_no_items_can_be_held_out(shop, split, rule):
    shop.split |= {"cold_items": 0.1, **split}
    with pytest.raises(ConfigError, match=rule):
        shop.run()
