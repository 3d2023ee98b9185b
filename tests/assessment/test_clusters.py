import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.assessment.boards import board, interactions, lists, target
from tests.conftest import catalogue_of
from twotower.assessment.assess import Assessment, assess
from twotower.assessment.clusters import (
    CLUSTERS,
    num_clusters,
    per_cluster,
    read_clusters,
    write_clusters,
)
from twotower.assessment.summary import summary
from twotower.assessment.verdict import TOO_LITTLE, verdict
from twotower.common.errors import DataError


def test_users_without_a_cluster_are_each_their_own(tmp_path) -> None:
    names = pa.chunked_array([["b", None, "a", "b"]])
    write_clusters(tmp_path / CLUSTERS, pa.array(["w", "x", "y", "z"]), names)
    codes = read_clusters(tmp_path, pd.Index(["z", "new", "y", "x", "w"]), "home")
    assert codes.dtype == np.int64
    assert codes.tolist() == [1, 4, 0, 6, 1]  # 0 and 1 are a and b
    assert num_clusters(codes) == 4


def test_the_order_of_the_table_does_not_change_the_codes(tmp_path) -> None:
    seen = []
    for order in ([0, 1, 2], [2, 0, 1]):
        names = pa.chunked_array([pa.array(["b", "a", "b"]).take(pa.array(order))])
        write_clusters(tmp_path / CLUSTERS, pa.array([1, 2, 3]).take(pa.array(order)), names)
        seen.append(read_clusters(tmp_path, pd.Index([1, 2, 3]), "home").tolist())
    assert seen == [[1, 0, 1], [1, 0, 1]]


def test_no_clusters(tmp_path) -> None:
    assert read_clusters(tmp_path, pd.Index([1]), None) is None
    for names in (None, pa.chunked_array([pa.nulls(2, pa.string())])):
        write_clusters(tmp_path / CLUSTERS, pa.array([1, 2]), names)
        assert read_clusters(tmp_path, pd.Index([1, 2]), "home").tolist() == [0, 1]


def test_missing_and_damaged_files_say_what_to_run(tmp_path) -> None:
    with pytest.raises(DataError, match=r"clusters\.parquet: no such file; run the prepare stage"):
        read_clusters(tmp_path, pd.Index([1]), "home")
    (tmp_path / CLUSTERS).write_bytes(b"no parquet")
    with pytest.raises(DataError, match="damaged, or not written by the prepare stage"):
        read_clusters(tmp_path, pd.Index([1]), "home")


def test_the_mean_over_clusters_is_that_over_users() -> None:
    values = np.array([0.5, 1.0, 0.0, 0.25])
    each = per_cluster(values, np.array([7, 3, 7, 7]))
    assert each.tolist() == [0.5, 0.375]  # half of the sums 1 and 0.75, as users are twice as many
    assert each.mean() == values.mean()


USERS, ITEMS = 14, 6


def of_copies(copies: int) -> Assessment:
    """Every user so many times, in a cluster with the other copies."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(USERS), copies)
    pairs = [(new, old % ITEMS) for new, old in enumerate(users.tolist())]
    wanted = target(
        lists(*([(user + 1) % ITEMS, (user + 3) % ITEMS] for user in users)),
        lists(*([user % ITEMS] for user in users)),
        ITEMS,
    )
    scores = {name: rng.random((USERS, ITEMS)) for name in ("optimized", "popularity", "ease")}
    values = {name: rows[users].tolist() for name, rows in scores.items()}
    made = board(wanted, interactions(pairs), "ndcg_at_2", **values)
    made.groups = {"warm": made}
    made.user_clusters = None if copies == 1 else users
    ids = pd.DataFrame(pairs, columns=["user_id", "item_id"]).assign(weight=1.0, timestamp=0)
    return assess(made, catalogue_of(ids), ids, {}, seed=1)


def figures(content: object, place: str = "") -> Iterator[tuple[str, float]]:
    """Bounds, differences and p-values, by their place in the content of a file."""
    if isinstance(content, dict):
        for name, inner in content.items():
            yield from figures(inner, f"{place}.{name}")
    elif isinstance(content, list):
        yield from ((place, value) for value in content if isinstance(value, float))
    elif re.search(r"p_|_bound|difference", place) and content is not None:
        yield place, content


@pytest.fixture(scope="module")
def both() -> list[Assessment]:
    return [of_copies(1), of_copies(3)]


@pytest.mark.parametrize("part", ["verdict", "intervals", "slices", "item_groups"])
def test_copies_of_a_user_in_a_cluster_are_no_more_evidence_than_the_user(both, part) -> None:
    once, thrice = ([*figures(getattr(found, part))] for found in both)
    assert len(once) > 10
    assert [place for place, _ in once] == [place for place, _ in thrice]
    assert [value for _, value in thrice] == pytest.approx([value for _, value in once], abs=1e-3)


def test_what_is_said_of_the_clusters(both) -> None:
    alone, clustered = both
    assert "num_clusters" not in alone.verdict
    assert clustered.verdict["num_clusters"] == USERS
    assert next(summary(clustered)).startswith("test ndcg_at_2 on 42 users in 14 clusters, with ")
    assert clustered.per_user.clusters.tolist() == np.repeat(np.arange(USERS), 3).tolist()


def test_so_many_more_users_are_needed_as_clusters_are_large() -> None:
    hits = np.where(np.arange(40) < 12, 1.0, 0.0)
    per_user = {"optimized": hits, "random": np.full(40, 0.3), "popularity": 1 - hits}
    alone = verdict(per_user, seed=1)
    twice = {name: np.repeat(values, 2) for name, values in per_user.items()}
    pairs = verdict(twice, seed=1, clusters=np.repeat(np.arange(40), 2))
    assert alone.text == pairs.text == TOO_LITTLE
    assert pairs.users_needed == pytest.approx(2 * alone.users_needed, rel=0.01)
    assert alone.users_needed < 80  # which so many users would be, if each were alone
    assert verdict(twice, seed=1).text == "no better than random"
