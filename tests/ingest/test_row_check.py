"""data.on_invalid: drop leaves out what is wrong, and counts it."""

import pytest

from twotower.common.errors import DataError

DIRTY = """user_id,item_id,timestamp,event
1,10,2024-01-01,view
,10,2024-01-01,view
1,,2024-01-01,view
1,99,2024-01-01,view
9,10,2024-01-01,view
1,11,soon,view
1,11,2024-01-02,share
1,11,2024-01-02,view,extra
1
,,,
2,11,2024-01-03,click
"""


def test_rows_are_dropped_and_counted_under_the_first_rule_they_break(shop):
    shop.data["on_invalid"] = "drop"
    shop.write("interactions.csv", DIRTY)
    report = shop.run()
    assert report["read"]["interactions"] == {
        "rows": 11,
        "dropped": {
            "total": 9,
            "wrong_number_of_fields": 2,
            "blank_user": 2,
            "blank_item": 1,
            "unknown_user": 1,
            "unknown_item": 1,
            "bad_timestamp": 1,
            "unknown_event": 1,
        },
    }
    assert shop.everything()[["user_id", "item_id"]].to_numpy().tolist() == [[1, 10], [2, 11]]


def test_weights(shop):
    shop.data["on_invalid"] = "drop"
    shop.bare("user,item,rating\n1,10,3\n1,11,-1\n1,11,\n2,11,x\n2,12,0\n")
    report = shop.run()
    assert report["read"]["interactions"]["dropped"] == {"total": 3, "bad_weight": 3}
    assert shop.everything()["weight"].tolist() == [3, 0]


def test_tables_keep_the_first_row_of_an_id_and_blank_a_bad_number(shop):
    shop.data["on_invalid"] = "drop"
    shop.write(
        "items.csv",
        "item_id,category,price\n10,home,cheap\n10,office,2\n,home,3\n11,home,4\n12,office,\n",
    )
    report = shop.run()
    assert report["read"]["items"] == {
        "rows": 5,
        "dropped": {"total": 2, "blank_id": 1, "duplicate_id": 1},
        "blanked_cells": 1,
    }
    items = shop.catalogue().items
    assert items.vocabulary.ids.tolist() == [10, 11, 12]
    assert items.features.columns["category"].codes.tolist() == [1, 1, 2]
    assert items.features.columns["price"].values.tolist() == [0, 0, 0]


def test_large_ids_are_not_taken_for_duplicates(shop):
    big = 2**53
    shop.data["on_invalid"] = "drop"
    shop.write("items.csv", f"item_id,category,price\n{big},a,\n{big + 1},a,\n,a,\n")
    shop.write("interactions.csv", f"user,item\n1,{big}\n2,{big + 1}\n")
    assert shop.run()["read"]["items"]["dropped"] == {"total": 1, "blank_id": 1}
    assert shop.catalogue().items.vocabulary.ids.tolist() == [big, big + 1]


def test_text_among_integers_is_an_unknown_item(shop):
    shop.data["on_invalid"] = "drop"
    shop.write("interactions.csv", "user,item\n1,10\n2,11\n2,???\n")
    report = shop.run()
    assert report["read"]["interactions"]["dropped"] == {"total": 1, "unknown_item": 1}
    assert shop.everything()["item_id"].dtype == "int64"


def test_given_splits_count_over_all_files(shop):
    shop.data["on_invalid"] = "drop"
    shop.bare("user,item\n1,10\n2,11\n,1\n", name="train.csv")
    shop.write("test.csv", "user,item\n1,\n2,10\n")
    shop.split = {"strategy": "given", "files": {"train": "train.csv", "test": "test.csv"}}
    dropped = shop.run()["read"]["interactions"]["dropped"]
    assert dropped == {"total": 2, "blank_item": 1, "blank_user": 1}


@pytest.mark.parametrize(
    "log",
    [
        "user,item\n,10\n,11\n",
        "user,item\n1,10\n,11\n",
        "user,item\n1\n2\n",
        "user,item,timestamp\na,x,2024-13-01\nb,y,soon\n",
    ],
)
def test_too_little_left_is_an_error(shop, log):
    shop.data["on_invalid"] = "drop"
    shop.bare(log)
    with pytest.raises(DataError, match=r"at least two users and two items, .*dropped rows: [12] "):
        shop.run()


def test_a_table_of_which_nothing_is_left_is_an_error(shop):
    shop.data["on_invalid"] = "drop"
    shop.write("items.csv", "item_id,category,price\n,a,1\n , b,2\n")
    with pytest.raises(DataError, match=r"items\.csv: no valid rows left; dropped: 2 blank_id"):
        shop.run()
