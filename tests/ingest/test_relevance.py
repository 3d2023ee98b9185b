"""evaluate.relevant, from the raw files to the rows that a ranking should find."""

import pytest

from tests.ingest.conftest import Shop
from twotower.common.errors import ConfigError, DataError
from twotower.config import parse_config
from twotower.ingest import prepare
from twotower.ingest.summary import summary

RATED = (
    "user,item,rating,event\n"
    "1,10,5,view\n1,11,3,buy\n1,12,5,buy\n1,13,4,view\n"
    "2,11,5,view\n2,12,5,view\n2,13,3.5,view\n2,10,4,compra\n"
)
"""Of each user, the last row is the test split, the one before validation."""


@pytest.fixture
def rated(shop: Shop) -> Shop:
    shop.bare(RATED)
    shop.split = {"strategy": "leave_last_out", "validation": 0.5, "test": 0.5}
    return shop


def run(shop: Shop, **relevant: object) -> dict:
    config = {**shop.params(), "evaluate": {"relevant": relevant}}
    return prepare(parse_config(config), shop.output, shop.metrics)


def marked(shop: Shop, split: str) -> list[bool]:
    return shop.read(split)["relevant"].tolist()


@pytest.mark.parametrize("name", ["purchase", "buy", "compra"])
def test_events_by_any_of_their_names(rated: Shop, name: str) -> None:
    report = run(rated, events=[name])
    assert [marked(rated, split) for split in ("validation", "test")] == [
        [True, False],
        [False, True],
    ]
    assert report["relevant"] == {"validation": 1, "test": 1}
    assert summary(report).count(", 1 row to find (evaluate.relevant)\n") == 2


def test_weights_are_as_written_and_both_conditions_hold(rated: Shop) -> None:
    run(rated, min_weight=4)  # 3.5 times 1 and 5 times 4; 4 times 1 and 4 times 4
    assert marked(rated, "validation") == [True, False]
    assert marked(rated, "test") == [True, True]
    run(rated, min_weight=4, events=["buy"])
    assert marked(rated, "test") == [False, True]


def test_a_merged_pair_counts_if_one_of_its_rows_does(shop: Shop) -> None:
    shop.data["repeats"] = "merge"
    shop.split = {"strategy": "given", "column": "split"}
    shop.bare(
        "user,item,rating,split\n1,10,9,train\n2,11,9,train\n"
        "1,11,4,test\n1,11,1,test\n2,10,3,test\n2,10,3,test\n"
    )
    run(shop, min_weight=4)
    assert shop.read("test")["weight"].tolist() == [5, 6]
    assert marked(shop, "test") == [True, False]


def test_by_default_nothing_is_marked(rated: Shop) -> None:
    assert "relevant" not in run(rated)
    assert "relevant" not in rated.everything()


def test_invalid_rows_are_dropped_before(rated: Shop) -> None:
    rated.write("interactions.csv", RATED.replace("2,12,5,view", "2,12,x,view"))
    rated.data["on_invalid"] = "drop"
    run(rated, min_weight=4)
    assert marked(rated, "test") == [True, True]


@pytest.mark.parametrize(
    ("relevant", "message"),
    [
        ({"events": ["refund"]}, r"events: must be event types in .*\(view, .*\), got refund"),
        ({"events": ["view", "cart"]}, r"no row is a cart \(.*; the rows are: purchase, view"),
        ({"min_weight": 6}, r"none of the 2 rows of the validation split counts"),
        ({"min_weight": 5}, r"none of the 2 rows of the test split counts"),
    ],
)
def test_what_no_row_is_is_an_error(rated: Shop, relevant: dict, message: str) -> None:
    with pytest.raises(DataError, match=f"evaluate.relevant.*{message}|{message}"):
        run(rated, **relevant)


@pytest.mark.parametrize(
    ("relevant", "role"), [({"events": ["buy"]}, "event"), ({"min_weight": 2}, "weight")]
)
def test_a_condition_without_its_column_is_an_error(rated: Shop, relevant: dict, role: str) -> None:
    rated.write("interactions.csv", "user,item\n1,10\n1,11\n1,12\n2,10\n2,11\n2,12\n")
    rule = f"interactions.csv: evaluate.relevant.* needs a column of {role}s"
    with pytest.raises(DataError, match=rule):
        run(rated, **relevant)


@pytest.mark.parametrize("relevant", [{"events": []}, {"events": "buy"}, {"min_weight": 0}])
def test_a_condition_that_is_none_is_an_error(relevant: dict) -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.relevant\."):
        parse_config({"evaluate": {"relevant": relevant}})
