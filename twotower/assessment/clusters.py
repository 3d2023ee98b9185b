"""Users who belong together, such as a household: they count as one draw in tests and intervals.

    clusters.parquet, in the folder of prepared data
        user_id, as there, and cluster, an int64 code; only users whose row names a cluster, so no
        rows without `evaluate.cluster`

The search does not depend on the file: no trial compares users.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.files import atomic_write
from twotower.common.sorted_keys import distinct
from twotower.data.checksums import data_errors, read_checked, write_checked

CLUSTERS = "clusters.parquet"


def write_clusters(path: Path, ids: pa.Array, names: pa.ChunkedArray | None) -> None:
    """Write the users who have a cluster, in the order of the table; the file may have no rows.

    Args:
        path: of the file.
        ids: [num_rows] user ids.
        names: [num_rows] what each user's cluster is called, null where there is none; None: there
            are no clusters. The codes are the places of the names in alphabetical order.
    """
    if names is None:
        names = pa.chunked_array([pa.nulls(len(ids), pa.string())])
    codes, _ = pd.factorize(names.to_pandas(), sort=True)
    table = pa.table({"user_id": ids, "cluster": pa.array(codes, pa.int64())})
    with atomic_write(path) as handle:
        write_checked(handle, table.filter(names.is_valid()))


def read_clusters(prepared: Path, users: pd.Index, column: str | None) -> Int64Array | None:
    """[num_users] code of the cluster of each user; None if users are not in clusters.

    A user who is not in the file is a cluster of its own.

    Args:
        prepared: the folder of prepared data.
        users: distinct ids.
        column: `evaluate.cluster`; None: the file is not read.

    Raises:
        DataError: if the file is missing or damaged.
    """
    if column is None:
        return None
    path = prepared / CLUSTERS
    with data_errors(path):
        table = read_checked(path, ["user_id", "cluster"])
        named = dict(zip(table["user_id"].to_pylist(), table["cluster"].to_pylist(), strict=True))
    codes = [named.get(user, len(named) + number) for number, user in enumerate(users.tolist())]
    return np.array(codes, dtype=np.int64)


def per_cluster(values: Float64Array, clusters: Int64Array) -> Float64Array:
    """[num_clusters] the sum of each cluster's users, of which the mean is that over the users.

    Args:
        values: [n], one per user.
        clusters: [n] the cluster of each.
    """
    _, codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    sums = np.bincount(codes, weights=values).astype(np.float64)
    return sums * len(sizes) / len(values)


def num_clusters(clusters: Int64Array) -> int:
    """Number of different clusters."""
    return len(distinct(clusters))


def in_clusters(count: int | None) -> str:
    """What follows a number of users: how many clusters they are in, or nothing if in none."""
    return "" if count is None else f" in {count:,} cluster{'' if count == 1 else 's'}"
