"""metrics/per_user.parquet: the metrics of every test user under every scorer.

    user_id            as in the raw files
    num_relevant       int64, number of relevant items, those outside the catalogue included
    cluster            int64 code of the user's cluster, see twotower.assessment.clusters; only with
                       `evaluate.cluster`
    SCORER.METRIC      float64, e.g. optimized.recall_at_10; expectations for random

Rows are sorted by id. The metadata of the file has two digests, `test_rows` and `masks`: if both
are equal, the metrics of two files can be compared user by user. Without a test split, or with
`refit.score_test: false`, the file has no rows, no columns of scorers and no digests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa

from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.errors import DataError
from twotower.common.files import atomic_write, sha256_text
from twotower.data.checksums import read_checked, write_checked
from twotower.data.prepared import Catalogue, relevant_rows
from twotower.evaluation.holdout import EvaluationSet

PER_USER = Path("metrics/per_user.parquet")
DIGESTS = ("test_rows", "masks")
CLUSTER = "cluster"
"""Column of the codes; those of scorers have a point in their names."""


@dataclass(frozen=True)
class PerUser:
    """The content of the file.

    Attributes:
        users: [num_rows] user ids.
        num_relevant: [num_rows] int64.
        metrics: by scorer and metric, [num_rows] float64.
        digests: see `evaluated_digests`; empty if nothing was scored.
        clusters: [num_rows] int64; None without `evaluate.cluster`.
    """

    users: "pd.Series[Any]"
    num_relevant: Int64Array
    metrics: dict[str, dict[str, Float64Array]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    clusters: Int64Array | None = None


def evaluated_digests(
    catalogue: Catalogue, target: EvaluationSet, held_out: pd.DataFrame
) -> dict[str, str]:
    """Digests that are equal if the metrics of two runs are comparable.

    Args:
        catalogue: the ranked items.
        target: users and masks.
        held_out: the test rows.

    Returns:
        `test_rows`: of the distinct pairs of the rows of `held_out` that count; `masks`: of the
        evaluated users, the ranked items, and each user's masked items. Neither depends on the
        order of rows or ids.
    """
    users, items = catalogue.users.vocabulary.ids, catalogue.items.vocabulary.ids
    rows, masked = target.masked.rows(0, len(target))
    pairs = pd.DataFrame({"user_id": users[target.users][rows], "item_id": items[masked]})
    ranked = pd.DataFrame({"user_id": users[target.users]}), pd.DataFrame({"item_id": items})
    return {
        "test_rows": _digest(relevant_rows(held_out)[["user_id", "item_id"]]),
        "masks": _short("".join(_digest(part) for part in (*ranked, pairs))),
    }


def per_user_table(
    catalogue: Catalogue,
    target: EvaluationSet,
    metrics: Mapping[str, Mapping[str, Float64Array]],
    digests: Mapping[str, str],
    clusters: Int64Array | None = None,
) -> PerUser:
    """The content of the file.

    Args:
        catalogue: with which `target` was made.
        target: the users, in the order of the rows of `metrics`.
        metrics: by scorer and metric, [num_rows].
        digests: from `evaluated_digests`.
        clusters: [num_rows] the cluster of each user; None: each is alone.
    """
    users = pd.Series(catalogue.users.vocabulary.ids[target.users])
    order = users.argsort(kind="stable").to_numpy()
    return PerUser(
        users=users.iloc[order].reset_index(drop=True),
        num_relevant=target.num_relevant[order],
        metrics={
            scorer: {metric: values[order] for metric, values in per_user.items()}
            for scorer, per_user in metrics.items()
        },
        digests=dict(digests),
        clusters=None if clusters is None else clusters[order],
    )


def write_per_user(path: Path, content: PerUser) -> None:
    """Write the file; the same content gives the same bytes."""
    id_type = pa.int64() if pd.api.types.is_integer_dtype(content.users.dtype) else pa.string()
    columns: dict[str, Any] = {
        "user_id": pa.array(content.users, id_type),
        "num_relevant": pa.array(content.num_relevant, pa.int64()),
    }
    if content.clusters is not None:
        columns[CLUSTER] = pa.array(content.clusters, pa.int64())
    for scorer, metrics in sorted(content.metrics.items()):
        for metric, values in sorted(metrics.items()):
            columns[f"{scorer}.{metric}"] = pa.array(values, pa.float64())
    metadata = {name: content.digests.get(name, "") for name in DIGESTS}
    with atomic_write(path) as handle:
        table = pa.table(columns).replace_schema_metadata(metadata)
        write_checked(handle, table)


def read_per_user(source: "Path | IO[bytes]", name: str = "") -> PerUser:
    """Read what `write_per_user` wrote.

    Args:
        source: a path, or a file opened in binary mode.
        name: of the file, for messages; needed if `source` is not a path.

    Raises:
        DataError: if it is missing, damaged or another kind of file.
    """
    name = name or str(source)
    try:
        table = read_checked(source)
        metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        digests = {key: metadata[key] for key in DIGESTS if metadata[key]}
        users = table["user_id"].to_pandas()
        num_relevant = table["num_relevant"].to_numpy()
    except FileNotFoundError:
        msg = f"{name}: no such file; run the refit stage first (dvc repro refit, or dvc pull)"
        raise DataError(msg) from None
    except (pa.ArrowException, KeyError, ValueError, AttributeError, OSError) as error:
        msg = f"{name}: damaged, or not an output of the refit stage ({error}); "
        msg += "run dvc repro -f -s refit"
        raise DataError(msg) from None
    metrics: dict[str, dict[str, Float64Array]] = {}
    for column in table.column_names:
        scorer, point, metric = column.partition(".")
        if point:
            metrics.setdefault(scorer, {})[metric] = table[column].to_numpy()
    clusters = table[CLUSTER].to_numpy() if CLUSTER in table.column_names else None
    return PerUser(users, num_relevant, metrics, digests, clusters)


def _digest(frame: pd.DataFrame) -> str:
    """Digest of the distinct rows, in any order."""
    ordered = frame.drop_duplicates().sort_values(list(frame.columns))
    return _short(str(ordered.to_csv(index=False, lineterminator="\n")))


def _short(text: str) -> str:
    """SHA-256, cut so that a table of metrics stays readable."""
    return sha256_text(text)[:16]
