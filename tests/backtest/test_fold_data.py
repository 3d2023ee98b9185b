"""What a fold knows, by hand: days 0 to 5, cut after day 3 and after day 4."""

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.conftest import Shop
from twotower.backtest.fold_data import FoldData, fold_config, read_events, write_fold
from twotower.backtest.periods import Fold
from twotower.common.errors import ConfigError, DataError
from twotower.common.units import DAY
from twotower.config import Config, parse_config
from twotower.ingest.titles import TITLES, item_titles

EVENTS = """user_id,item_id,timestamp
1,10,0
2,11,0
1,11,86400
2,10,172800
1,12,259200
2,12,345600
3,10,345600
1,13,345600
1,14,432000
3,11,432000
"""
"""User 3 and item 13 come on day 4, item 14 on day 5."""
USERS = "user_id,city\n1,Madrid\n2,Cadiz\n3,Lugo\n"
ITEMS = (
    "item_id,name,category,price\n10,Pen,office,1\n11,Cup,home,3\n12,Mat,home,5\n"
    "13,Hat,wear,100\n14,Bag,wear,1000\n"
)


def shop_of(folder: Path, events: str = EVENTS, users: str = USERS, items: str = ITEMS) -> Shop:
    folder.mkdir(exist_ok=True)
    shop = Shop(folder)
    for name, text in (("interactions", events), ("users", users), ("items", items)):
        shop.write(f"{name}.csv", text)
    shop.data["items"]["title"] = "name"
    return shop


def written(shop: Shop, number: int, **sections: Any) -> tuple[Shop, Config]:
    """The prepared data of one of two folds."""
    config = parse_config({"data": shop.data, **sections})
    loaded, folds = read_events(config, DAY, 2, shop.output)
    write_fold(loaded, folds[number - 1], fold_config(config), shop.output)
    return shop, config


def pairs(shop: Shop, part: str) -> list[tuple[int, int]]:
    frame = shop.read(part)
    return list(zip(frame["user_id"], frame["item_id"], strict=True))


def test_who_trains_on_what(tmp_path: Path) -> None:
    one, _ = written(shop_of(tmp_path / "one"), 1)
    assert pairs(one, "train") == [(1, 10), (1, 11), (2, 11), (2, 10)]  # days 0 to 2
    assert pairs(one, "validation") == [(1, 12)]  # day 3
    assert pairs(one, "test") == [(1, 13), (2, 12), (3, 10)]  # day 4
    two, _ = written(shop_of(tmp_path / "two"), 2)
    assert pairs(two, "train") == [*pairs(one, "train")[:2], (1, 12), *pairs(one, "train")[2:]]
    assert pairs(two, "validation") == pairs(one, "test")
    assert pairs(two, "test") == [(1, 14), (3, 11)]


def test_users_items_titles_and_scalings_are_those_of_the_cut_off(tmp_path: Path) -> None:
    shop, _ = written(shop_of(tmp_path), 1)
    known = shop.catalogue()
    assert list(known.users.vocabulary.ids) == [1, 2]
    assert list(known.items.vocabulary.ids) == [10, 11, 12]
    assert dict(item_titles(shop.output / TITLES)) == {10: "Pen", 11: "Cup", 12: "Mat"}
    schema = known.items.features.schema()
    assert schema["category"]["categories"] == ["home", "office"]
    assert schema["price"]["mean"] == 2  # of 1 and 3, which were trained on: no 5, 100 or 1000


def test_no_byte_that_is_searched_or_trained_on_depends_on_what_comes_later(
    tmp_path: Path,
) -> None:
    shop, _ = written(shop_of(tmp_path / "a"), 1)
    later = EVENTS.replace("2,12,345600", "2,10,345600").replace("1,14,432000", "2,12,432000")
    users, items = USERS.replace("Lugo", "Vigo"), ITEMS.replace("wear,100", "toys,9")
    other, _ = written(shop_of(tmp_path / "b", later, users, items), 1)
    mine, theirs = shop.files(), other.files()
    assert {name for name in mine if mine[name] != theirs[name]} == {"data/prepared/test.parquet"}


def test_repeats_are_merged_within_a_split_and_never_over_the_cut_off(tmp_path: Path) -> None:
    events = EVENTS + "1,10,86401\n1,12,345600\n"  # day 1 twice, and day 4 what day 3 had
    shop = shop_of(tmp_path, events)
    shop.data["repeats"] = "merge"
    written(shop, 1)
    assert pairs(shop, "train") == [(1, 11), (1, 10), (2, 11), (2, 10)]
    assert shop.read("train")["weight"].tolist() == [1, 2, 1, 1]
    assert (1, 12) in pairs(shop, "validation")
    assert (1, 12) in pairs(shop, "test")


def test_the_events_stay_as_they_are(tmp_path: Path) -> None:
    shop = shop_of(tmp_path)
    shop.data["repeats"] = "merge"
    config = parse_config({"data": shop.data})
    loaded, folds = read_events(config, DAY, 2, shop.output)
    before = {name: column.copy() for name, column in loaded.events.columns.items()}
    for fold in folds:
        write_fold(loaded, fold, fold_config(config), shop.output)
    assert all((loaded.events.columns[name] == column).all() for name, column in before.items())


def test_who_is_scored(tmp_path: Path) -> None:
    shop, config = written(shop_of(tmp_path), 1)
    data = FoldData(shop.output, config.evaluate.exclude_seen)
    target = data.test.target
    # User 3 is new. User 1 has something to find that no model of that day knows.
    assert [data.catalogue.users.vocabulary.ids[user] for user in target.users] == [1, 2]
    assert target.num_relevant.tolist() == [1, 1]
    assert target.relevant.counts.tolist() == [0, 1]
    assert target.num_users_cold == 1
    assert data.why_not() == ""


def test_a_fold_in_which_nobody_can_be_scored_says_why(tmp_path: Path) -> None:
    events = EVENTS.replace("1,12,259200", "9,12,259200")  # day 3 has a new user alone
    shop = shop_of(tmp_path, events, USERS + "9,Jaca\n")
    _, config = written(shop, 1)
    assert FoldData(shop.output, config.evaluate.exclude_seen).why_not() == (
        "nobody of the validation period has earlier events and something new to find (1 events)"
    )


def test_a_fold_without_training_rows_is_an_error(tmp_path: Path) -> None:
    shop = shop_of(tmp_path)
    config = parse_config({"data": shop.data})
    loaded, _ = read_events(config, DAY, 2, shop.output)
    with pytest.raises(DataError, match="the training split has no valid rows"):
        write_fold(loaded, Fold(1, -DAY, 0, DAY), fold_config(config), shop.output)


def test_what_a_fold_settles_itself() -> None:
    config = parse_config(
        {
            "split": {"strategy": "random", "cold_items": 0.1},
            "refit": {"final": "all", "score_test": False, "seeds": 2},
            "hpo": {"storage": "sqlite:///x.db", "timeout": 5, "n_trials": 7},
        }
    )
    ours = fold_config(config)
    assert (ours.split.cold_items, ours.refit.final, ours.refit.score_test) == (
        0, "train_validation", True,
    )  # fmt: skip
    assert (ours.hpo.storage, ours.hpo.timeout) == (None, None)
    assert (ours.hpo.n_trials, ours.refit.seeds) == (7, 2)


def test_an_objective_of_cold_items_is_refused() -> None:
    config = parse_config({"hpo": {"objective": "recall_at_10_cold"}})
    with pytest.raises(ConfigError, match="recall_at_10_cold is of warm or cold items"):
        fold_config(config)
    several = parse_config({"hpo": {"objectives": ["mrr", "coverage_at_10_cold"]}})
    with pytest.raises(ConfigError, match="coverage_at_10_cold is of warm or cold items"):
        fold_config(several)


def test_data_without_times_is_one_line(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bare("user_id,item_id\n1,10\n1,11\n2,10\n2,12\n")
    with pytest.raises(DataError, match="needs the time of each event"):
        read_events(parse_config({"data": shop.data}), DAY, 2, shop.output)
