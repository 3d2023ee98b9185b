import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import catalogue_of, events, split_by_time
from twotower.assessment.per_user import (
    evaluated_digests,
    per_user_table,
    read_per_user,
    write_per_user,
)
from twotower.common.errors import DataError
from twotower.data.prepared import Catalogue
from twotower.evaluation.holdout import evaluation_set


def digests(
    catalogue: Catalogue, history: pd.DataFrame, held_out: pd.DataFrame, *, masked: bool = True
) -> dict[str, str]:
    target = evaluation_set(catalogue, history, held_out, exclude_seen=masked)
    return evaluated_digests(catalogue, target, held_out)


def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    splits = split_by_time(events(seed=3))
    return splits["train"], splits["test"]


def test_digests_do_not_depend_on_order() -> None:
    history, held_out = parts()
    catalogue = catalogue_of(history)
    want = digests(catalogue, history, held_out)
    assert digests(catalogue, history[::-1], pd.concat([held_out, held_out[::-1]])) == want
    first = history[history["item_id"] == history["item_id"].max()]
    other = catalogue_of(first).extend(history)  # the same users and items in another order
    assert list(other.items.vocabulary.ids) != list(catalogue.items.vocabulary.ids)
    assert digests(other, history, held_out) == want


def test_the_test_rows_and_what_is_ranked_have_their_own_digest() -> None:
    history, held_out = parts()
    catalogue = catalogue_of(history)
    want = digests(catalogue, history, held_out)
    fewer = digests(catalogue, history, held_out[1:])
    assert fewer["test_rows"] != want["test_rows"]
    marked = held_out.assign(relevant=np.arange(len(held_out)) > 0)
    assert digests(catalogue, history, marked) == fewer
    for changed in (
        digests(catalogue, history[1:].drop_duplicates("user_id"), held_out),
        digests(catalogue, history, held_out, masked=False),
        digests(catalogue.extend(held_out.assign(item_id=9999)), history, held_out),
    ):
        assert changed["test_rows"] == want["test_rows"]
        assert changed["masks"] != want["masks"]


@pytest.mark.parametrize("text", [False, True])
def test_it_is_read_as_it_was_written_by_id(tmp_path: Path, *, text: bool) -> None:
    history, held_out = parts()
    if text:
        history, held_out = (f.assign(user_id=f["user_id"].map(str)) for f in (history, held_out))
    last_first = catalogue_of(history[history["user_id"] == history["user_id"].max()])
    catalogue = last_first.extend(history)
    target = evaluation_set(catalogue, history, held_out, exclude_seen=True)
    values = target.users.astype(np.float64)  # the row of each user in the catalogue
    clusters = target.users // 2 if text else None
    content = per_user_table(catalogue, target, {"a": {"mrr": values}}, {"masks": "m"}, clusters)
    path = tmp_path / "per_user.parquet"
    write_per_user(path, content)
    found = read_per_user(path)
    assert found.users.tolist() == sorted(found.users)
    ids = catalogue.users.vocabulary.ids
    assert found.users.tolist() == [ids[int(row)] for row in found.metrics["a"]["mrr"]]
    assert found.num_relevant.sum() == target.num_relevant.sum()
    assert found.digests == {"masks": "m"}
    halves = (found.metrics["a"]["mrr"] // 2).tolist()
    assert found.clusters is None if clusters is None else found.clusters.tolist() == halves
    assert list(found.metrics) == ["a"]
    again = io.BytesIO(path.read_bytes())
    assert read_per_user(again, "rev:file").users.equals(found.users)
    write_per_user(tmp_path / "again.parquet", content)
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"no parquet"])
def test_an_unusable_file_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "per_user.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"per_user\.parquet: (no such file|damaged)"):
        read_per_user(path)


def test_another_parquet_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pd.DataFrame({"user_id": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="not an output of the refit stage"):
        read_per_user(path)
