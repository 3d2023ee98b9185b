"""What is exported beside the vectors."""

from pathlib import Path

import numpy as np

from tests.export.conftest import NUM_ITEMS, NUM_USERS, rows_of, write
from twotower.artifacts import load_artifacts
from twotower.export.destination import Batch, Field, Kind


def first(rows, count: int = 3) -> list[dict]:
    return list(next(rows.batches(0, count)).rows())


def test_items_have_what_queries_filter_by_as_in_the_raw_data(model: Path, titles: Path) -> None:
    rows = rows_of(model, titles=titles)
    assert rows.schema.fields == (
        Field("item_id", Kind.INTEGER),
        Field("position", Kind.INTEGER),
        Field("title", Kind.TEXT),
        Field("interactions", Kind.INTEGER),
        Field("colour", Kind.CATEGORY),
        Field("price", Kind.NUMBER),
        Field("tags", Kind.CATEGORIES),
        Field("title_feature", Kind.CATEGORY),
    )
    doctor = {"title_feature": "Dr"}
    assert first(rows) == [
        {"item_id": 1000, "position": 0, "title": "Zero", "interactions": 1, "price": 0.99,
         "tags": ["new", "sale"]} | doctor,
        {"item_id": 1001, "position": 1, "interactions": 2, "colour": "green", "price": 1.99,
         "tags": ["sale"]} | doctor,
        {"item_id": 1002, "position": 2, "title": "Two", "interactions": 3, "colour": "red",
         "price": 2.99, "tags": []} | doctor,
    ]  # fmt: skip


def test_users_have_what_is_not_recommended_again(model: Path, tmp_path: Path) -> None:
    rows = rows_of(model, "users")
    assert list(next(rows.batches(1, 1)).rows()) == [
        {"user_id": 101, "position": 1, "seen": [1001, 1002, 1003]}
    ]
    assert rows.schema.count == NUM_USERS
    text = first(rows_of(write(tmp_path / "text", text=True), "users"), 1)
    assert text == [{"user_id": 42, "position": 0, "seen": ["i'0", "i'1", "i'2"]}]


def test_batches_are_all_rows_once(model: Path) -> None:
    rows = rows_of(model)
    batches = list(rows.batches(10, 5))
    assert [batch.start for batch in batches] == [10, 15, 20]
    assert [one for batch in batches for one in batch.ids] == list(range(1010, 1000 + NUM_ITEMS))
    vectors = np.concatenate([batch.vectors for batch in batches])
    assert np.array_equal(vectors, load_artifacts(model).item_vecs[10:])
    assert all(batch.vectors.flags.c_contiguous for batch in batches)


def test_a_version_is_of_all_that_is_exported(model: Path, titles: Path, tmp_path: Path) -> None:
    versions = [
        rows_of(model).schema.version,
        rows_of(model, "users").schema.version,
        rows_of(model, titles=titles).schema.version,
        rows_of(write(tmp_path / "other", seed=1)).schema.version,
    ]
    assert len(set(versions)) == len(versions)
    assert rows_of(model).schema.version == versions[0]
    assert rows_of(model).schema.is_version(rows_of(model).schema.target)


def test_titles_of_other_ids_are_none(titles: Path, tmp_path: Path) -> None:
    rows = rows_of(write(tmp_path / "text", text=True), titles=titles)
    assert "title" not in first(rows, 1)[0]


def test_rows_are_without_what_is_missing(model: Path) -> None:
    batch: Batch = next(rows_of(model).batches(0, 1))
    assert batch.columns.column("colour").to_pylist() == [None]
    assert "colour" not in next(batch.rows())
