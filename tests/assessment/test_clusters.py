import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from twotower.assessment.clusters import CLUSTERS, num_clusters, read_clusters, write_clusters
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
    assert num_clusters(None) is None
    for names in (None, pa.chunked_array([pa.nulls(2, pa.string())])):
        write_clusters(tmp_path / CLUSTERS, pa.array([1, 2]), names)
        assert read_clusters(tmp_path, pd.Index([1, 2]), "home").tolist() == [0, 1]


def test_missing_and_damaged_files_say_what_to_run(tmp_path) -> None:
    with pytest.raises(DataError, match=r"clusters\.parquet: no such file; run the prepare stage"):
        read_clusters(tmp_path, pd.Index([1]), "home")
    (tmp_path / CLUSTERS).write_bytes(b"no parquet")
    with pytest.raises(DataError, match="damaged, or not written by the prepare stage"):
        read_clusters(tmp_path, pd.Index([1]), "home")
