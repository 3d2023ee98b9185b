import csv
import importlib.util
import itertools
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "data" / "make_sample.py"
FILES = ("users.csv", "items.csv", "interactions.csv")
EVENTS = ("view", "click", "cart", "purchase")


def _module():
    spec = importlib.util.spec_from_file_location("make_sample", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _bytes(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def _rows(name):
    with (ROOT / "data" / "sample" / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def users():
    return _rows("users.csv")


@pytest.fixture(scope="module")
def items():
    return _rows("items.csv")


@pytest.fixture(scope="module")
def interactions():
    return _rows("interactions.csv")


@pytest.fixture(scope="module")
def visits(interactions):
    """(user, item) of every view, the first event of each visit."""
    return [(row["user_id"], row["item_id"]) for row in interactions if row["event"] == "view"]


def test_the_script_writes_the_committed_bytes_whatever_the_locale_and_hash_seed(tmp_path):
    environment = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    command = [sys.executable, str(SCRIPT), str(tmp_path / "new" / "sample")]
    subprocess.run(command, check=True, env=environment)
    assert _bytes(tmp_path / "new" / "sample") == _bytes(ROOT / "data" / "sample")


def test_another_seed_gives_other_bytes(tmp_path):
    module = _module()
    module.write_sample(tmp_path, seed=module.SEED + 1)
    first, second = _bytes(ROOT / "data" / "sample"), _bytes(tmp_path)
    assert all(first[name] != second[name] for name in FILES)


def test_files_are_small_ascii_and_end_lines_with_line_feeds():
    for content in _bytes(ROOT / "data" / "sample").values():
        assert len(content) < 600_000
        assert content.isascii()
        assert content.endswith(b"\n")
        assert b"\r" not in content


def test_there_are_under_two_thousand_users_and_items_and_about_fifteen_thousand_events(
    users, items, interactions
):
    assert len(users) == 1800
    assert len(items) == 1800
    assert 13_000 <= len(interactions) <= 18_000


def test_ids_count_from_one_and_events_name_only_known_ones(users, items, interactions):
    user_ids = [row["user_id"] for row in users]
    item_ids = [row["item_id"] for row in items]
    assert user_ids == [str(n + 1) for n in range(len(users))]
    assert item_ids == [str(n + 1) for n in range(len(items))]
    assert {row["user_id"] for row in interactions} == set(user_ids)
    sold = {row["item_id"] for row in interactions}
    assert sold <= set(item_ids)
    assert len(sold) > 0.9 * len(items)


def test_names_are_distinct_and_prices_positive(users, items):
    assert len({row["name"] for row in users}) == len(users)
    assert len({row["name"] for row in items}) == len(items)
    assert all(row["name"] == f"{row['brand']} {row['type']}" for row in items)
    assert all(1 < float(row["price"]) < 400 for row in items)
    assert {len(row["price"].split(".")[1]) for row in items} == {2}


def test_events_are_sorted_and_fill_one_year(interactions):
    times = [datetime.fromisoformat(row["timestamp"]) for row in interactions]
    assert times == sorted(times)
    assert {time.year for time in times} == {2025}
    assert times[-1] - times[0] > timedelta(days=360)
    assert {time.month for time in times} == set(range(1, 13))


def test_nobody_comes_before_the_sign_up(users, interactions):
    joined = {row["user_id"]: row["signup_date"] for row in users}
    assert all(joined[row["user_id"]] <= row["timestamp"][:10] for row in interactions)


def test_a_users_events_never_share_a_second(interactions):
    assert len({(row["user_id"], row["timestamp"]) for row in interactions}) == len(interactions)


def test_every_further_event_of_the_funnel_is_rarer(interactions):
    counts = Counter(row["event"] for row in interactions)
    assert set(counts) == set(EVENTS)
    for event, following in itertools.pairwise(EVENTS):
        assert 0.1 < counts[following] / counts[event] < 0.7


def test_every_visit_climbs_the_funnel_step_by_step(interactions):
    last = {}
    for row in interactions:
        user, stage = row["user_id"], EVENTS.index(row["event"])
        assert stage == 0 or last[user] == (row["item_id"], stage - 1)
        last[user] = (row["item_id"], stage)


def test_users_come_back_to_items(visits):
    repeated = 1 - len(set(visits)) / len(visits)
    assert 0.15 < repeated < 0.5


def test_popularity_and_activity_have_long_tails(visits):
    by_item = sorted(Counter(item for _, item in visits).values(), reverse=True)
    by_user = sorted(Counter(user for user, _ in visits).values(), reverse=True)
    assert sum(by_item[:180]) > 0.25 * len(visits)  # 10 % of the items
    assert by_item[0] > 5 * by_item[len(by_item) // 2]
    assert by_user[0] > 3 * by_user[len(by_user) // 2]


def test_users_keep_to_few_categories(items, visits):
    category = {row["item_id"]: row["category"] for row in items}
    visited = defaultdict(Counter)
    for user, item in set(visits):
        visited[user][category[item]] += 1
    favourite = [max(counts.values()) / counts.total() for counts in visited.values()]
    assert 0.4 < sum(favourite) / len(favourite) < 0.8  # of 10 categories


def test_categories_have_seasons(items, interactions):
    category = {row["item_id"]: row["category"] for row in items}
    months = defaultdict(Counter)
    for row in interactions:
        months[category[row["item_id"]]][row["timestamp"][5:7]] += 1
    peaks = [12 * max(counts.values()) / counts.total() for counts in months.values()]
    assert sum(peaks) / len(peaks) > 1.3
    assert len({max(counts, key=counts.get) for counts in months.values()}) >= 5


def test_some_items_are_launched_during_the_year(interactions):
    first = {}
    for row in interactions:
        first.setdefault(row["item_id"], row["timestamp"])
    counts = Counter(row["item_id"] for row in interactions)
    # An item of so many events would hardly wait half a year for the first by chance.
    launched = [item for item in first if first[item] > "2025-07" and counts[item] >= 8]
    assert 30 < len(launched) < 200


def test_most_items_have_few_customers(visits):
    customers = Counter(item for _, item in set(visits))
    assert sorted(customers.values())[len(customers) // 2] < 8


def test_cities_differ_in_brands_and_age_groups_in_types(users, items, visits):
    """What users have in common tells what they want: the largest lift of a pair is large."""
    user = {row["user_id"]: row for row in users}
    item = {row["item_id"]: row for row in items}
    for user_column, item_column in (("city", "brand"), ("age_group", "type")):
        pairs = Counter((user[u][user_column], item[i][item_column]) for u, i in set(visits))
        by_user, by_item = Counter(), Counter()
        for (left, right), count in pairs.items():
            by_user[left] += count
            by_item[right] += count
        total = pairs.total()
        lifts = [n * total / (by_user[a] * by_item[b]) for (a, b), n in pairs.items()]
        assert sorted(lifts)[-10] > 1.8


def test_the_interest_named_at_the_sign_up_is_what_users_mostly_look_at(users, items, visits):
    interest = {row["user_id"]: row["interest"] for row in users}
    category = {row["item_id"]: row["category"] for row in items}
    assert set(interest.values()) == set(category.values())
    share = sum(interest[user] == category[item] for user, item in visits) / len(visits)
    assert 0.4 < share < 0.8
