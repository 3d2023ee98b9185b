"""Titles of items: kept for people, where no model depends on them."""

import pyarrow as pa
import pytest

from twotower.common.errors import ConfigError, DataError
from twotower.config import parse_config
from twotower.ingest.summary import summary
from twotower.ingest.titles import TITLES, item_titles, write_titles


def test_titles_leave_beside_the_vocabulary_which_stays_as_it_was(shop):
    shop.run()
    assert item_titles(shop.output / TITLES) == {}
    before = shop.files()
    shop.data["items"]["title"] = "name"
    report = shop.run()
    assert item_titles(shop.output / TITLES) == {10: "Pen", 11: "Cup", 12: "Mat"}
    assert report["features"]["items"]["left_out"] == []
    changed = {name for name, content in shop.files().items() if before[name] != content}
    assert changed == {f"data/prepared/{TITLES}"}


def test_a_table_without_the_column_shows_ids_and_says_so(shop):
    shop.data["items"]["title"] = "nombre"
    report = shop.run()
    assert report["features"]["items"]["left_out"] == ["nombre"]
    assert "  items: no column for nombre" in summary(report).splitlines()
    assert item_titles(shop.output / TITLES) == {}


def test_no_items_table(shop):
    shop.bare("user,item\n1,10\n1,11\n2,10\n2,11\n")
    shop.data["items"] = {"title": "name"}
    assert shop.run()["features"]["items"]["left_out"] == ["name"]
    assert item_titles(shop.output / TITLES) == {}


def test_a_feature_may_be_the_title_too_and_dropped_rows_have_none(shop):
    shop.data["on_invalid"] = "drop"
    shop.data["items"] = {"title": "category", "features": {"category": "categorical"}}
    shop.write("items.csv", "item_id,category\n10, office \n,lost\n11,\n12,home\n12,twice\n")
    shop.run()
    assert item_titles(shop.output / TITLES) == {10: "office", 12: "home"}
    assert shop.catalogue().items.features.columns["category"].categories == ("home", "office")


def test_users_have_no_titles():
    with pytest.raises(ConfigError, match=r"data\.users\.title"):
        parse_config({"data": {"users": {"title": "name"}}})


def test_missing_and_damaged_files_say_what_to_run(tmp_path):
    path = tmp_path / TITLES
    with pytest.raises(DataError, match=r"titles\.parquet: no such file; run the prepare stage"):
        item_titles(path)
    write_titles(path, pa.array(["007", "b"]), pa.chunked_array([["Pen", None]]))
    assert item_titles(path) == {"007": "Pen"}
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="damaged, or not written by the prepare stage"):
        item_titles(path)
