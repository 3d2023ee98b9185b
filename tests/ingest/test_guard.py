"""Guard rails: data that is too unlike that of the last run."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from twotower.common.errors import DataError
from twotower.common.units import DAY
from twotower.config.splitting import GuardConfig
from twotower.data.prepared import PARTS
from twotower.ingest.data_profile import (
    LAST_RUN,
    DataProfile,
    read_last_run,
    write_last_run,
)
from twotower.ingest.data_profile import profile as profile_of
from twotower.ingest.drift import SKETCH
from twotower.ingest.events import SIDES, Events
from twotower.ingest.guard import check_data, share_of_new

Splits = dict[str, pd.DataFrame]
OFF = GuardConfig(**dict.fromkeys(GuardConfig.model_fields))


def check(splits: Splits, path: Path, config: GuardConfig, why: Any = None) -> None:
    check_data(profile(splits), path, config, why)


def profile(splits: Splits) -> DataProfile:
    """Of interactions alone."""
    rows = pd.concat(splits.values(), keys=[PARTS.index(name) for name in splits])
    columns = {"timestamp": rows["timestamp"].to_numpy(), "split": rows.index.get_level_values(0)}
    ids, kinds = {}, {}
    for side in SIDES:
        codes, values = pd.factorize(rows[f"{side}_id"], sort=True)
        columns[side], ids[side] = codes, pa.array(values)
        kinds[side] = "integer" if pa.types.is_integer(ids[side].type) else "text"
    log = SimpleNamespace(ids=kinds, events={})
    return profile_of(Events(ids, columns), log, {"users": None, "items": None})


def data(users: range = range(10), items: range = range(10), days: range = range(5)) -> Splits:
    """An event a day of each user, on the item of the same place."""
    rows = [(u, items[n % len(items)], (d + 1) * DAY) for d in days for n, u in enumerate(users)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return {"train": frame[:-3], "validation": frame[-3:-1], "test": frame[-1:]}


@pytest.fixture
def last_run(tmp_path: Path) -> Path:
    write_last_run(tmp_path / "last_run.json", profile(data()))
    return tmp_path / "last_run.json"


def test_the_committed_file_compares_with_nothing() -> None:
    assert read_last_run(REPOSITORY / LAST_RUN) is None


def test_profile_by_hand(last_run: Path) -> None:
    stored = json.loads(last_run.read_text(encoding="utf-8"))
    assert (stored["rows"], stored["users"], stored["items"]) == (50, 10, 10)
    assert (stored["first"], stored["last"]) == (DAY, 5 * DAY)
    assert len(stored["user_hashes"]) == 10


def test_the_hashes_of_ids_are_those_of_earlier_versions() -> None:
    # Files of earlier runs stay comparable: echo -n 7 | b2sum -l 64, and the same of 8 and 9.
    digests = ["8eba7fddfa15f905", "a3382767cbd236fa", "e75017cace788f82"]
    assert profile(data(range(7, 10))).user_hashes == digests


def test_a_change_of_the_type_of_ids_stops_whatever_the_limits(last_run: Path) -> None:
    new = {name: rows.astype({"user_id": str}) for name, rows in data().items()}
    why = {"user": "'guest' (log.csv, line 7)", "item": None}
    changed = r"user ids were .* because of 'guest' \(log\.csv, line 7\) \(data.*intended, run: tw"
    with pytest.raises(DataError, match=changed):
        check(new, last_run, OFF, why)
    check(data(), last_run, OFF, why)


def test_a_profile_of_an_earlier_version_is_compared_by_what_it_has(last_run: Path) -> None:
    stored = json.loads(last_run.read_text(encoding="utf-8"))
    for key in ("user_ids", "item_ids", "item_rows", "events", "features"):
        del stored[key]
    last_run.write_text(json.dumps(stored), encoding="utf-8")
    check({name: rows.astype({"user_id": str}) for name, rows in data().items()}, last_run, OFF)


@pytest.mark.parametrize("content", [None, "{}"])
def test_without_a_last_run_nothing_is_checked(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "last_run.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    check(data(), path, GuardConfig())


def test_the_same_data_and_a_week_more_pass(last_run: Path) -> None:
    check(data(), last_run, GuardConfig())
    check(data(days=range(9)), last_run, GuardConfig())


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (data(users=range(8)), "40 rows, 0.80 times the last run's 50 (guard.min_rows: 0.9)"),
        (data(days=range(11)), "110 rows, 2.20 times the last run's 50 (guard.max_rows: 2)"),
        (data(users=range(6, 16)), "60% of the users are new (guard.max_new_users: 0.5)"),
        (data(items=range(6, 16)), "60% of the items are new (guard.max_new_items: 0.5)"),
        (
            data(days=range(40, 45)),
            "the first event moved from 1970-01-02 to 1970-02-11 (guard.max_days_lost: 30)",
        ),
        (
            data(days=range(-1, 4)),
            "the last event moved from 1970-01-06 to 1970-01-05 (guard.max_days_back: 0)",
        ),
        (
            data(days=range(0, 80, 16)),
            "the last event moved from 1970-01-06 to 1970-03-07 (guard.max_days_new: 55)",
        ),
    ],
)
def test_each_rule(last_run: Path, new: Splits, message: str) -> None:
    with pytest.raises(DataError) as raised:
        check(new, last_run, GuardConfig(max_days_new=55))
    assert str(raised.value).startswith("the data differs too much from the last run's: ")
    assert message in str(raised.value)
    assert "twotower retrain reset" in str(raised.value)
    check(new, last_run, OFF)


def test_all_broken_rules_are_named_at_once(last_run: Path) -> None:
    with pytest.raises(DataError, match=r"min_rows.*max_new_users.*max_days_back"):
        check(data(users=range(20, 25), days=range(3)), last_run, GuardConfig())


def test_data_that_lost_its_times(last_run: Path) -> None:
    untimed = {name: frame.assign(timestamp=0) for name, frame in data().items()}
    with pytest.raises(DataError, match="the events no longer have times"):
        check(untimed, last_run, GuardConfig())


@pytest.mark.parametrize("text", ["", "[]", "0", "[" * 3000])
def test_only_an_empty_object_is_an_empty_profile(tmp_path: Path, text: str) -> None:
    path = tmp_path / "last.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="not a profile of the last run's data; empty it with"):
        check(data(), path, GuardConfig())


@pytest.mark.parametrize(
    "damage",
    [
        {"rows": "many"},
        {"rows": 0},
        {"first": 10**20},
        {"item_rows": [1]},
        {"item_rows": [10**20] * 10},
        {"events": {"buy": 10**20}},
        {"user_ids": "a\nb"},
        {"features": {"items.price": {"missing": 0, "percentiles": [0.5] * 101}}},
    ],
)
def test_a_damaged_file_is_one_line(last_run: Path, tmp_path: Path, damage: Any) -> None:
    path, whole = tmp_path / "damaged.json", json.loads(last_run.read_text(encoding="utf-8"))
    path.write_text(json.dumps(whole | damage), encoding="utf-8")
    with pytest.raises(DataError, match="not a profile of the last run's data; empty it with"):
        check(data(), path, GuardConfig())


def test_a_name_that_the_file_made_up_leaves_one_line(last_run: Path) -> None:
    stored = json.loads(last_run.read_text(encoding="utf-8"))
    features = {"features": {"items.a\nb": {"missing": 0.0}}}
    last_run.write_text(json.dumps(stored | features), encoding="utf-8")
    with pytest.raises(DataError, match=r"items\.a b has no value in 100% of the rows, after 0%"):
        check(data(), last_run, GuardConfig())


@given(st.integers(0, 100), st.integers(0, 100))
def test_few_ids_are_compared_exactly(start: int, size: int) -> None:
    before = profile(data(users=range(50))).user_hashes
    now = profile(data(users=range(start, start + size + 1))).user_hashes
    new = sum(user >= 50 for user in range(start, start + size + 1))
    assert share_of_new(before, now) == new / (size + 1)


def test_many_ids_are_compared_by_a_sample() -> None:
    before = profile(data(users=range(20_000), days=range(1))).user_hashes
    now = profile(data(users=range(5_000, 25_000), days=range(1))).user_hashes
    assert len(before) == len(now) == SKETCH
    # 1000 of 20,000 ids: a standard error of 0.0135 around 0.25.
    assert abs(share_of_new(before, now) - 0.25) < 5 * 0.0135
