"""The metrics of every test user under every scorer, in one Parquet file.

    user_id            as in the raw files
    num_relevant       int64, items to be found, those that the catalogue lacks included
    SCORER.METRIC      float64, e.g. optimized.recall_at_10; random's are expectations

The rows are in the order of the ids. The file's metadata holds `test_rows` and `masks`: the
metrics of two files can be compared user by user if both digests are equal. Without a test split,
or with `refit.score_test: false`, it has no row, no column of a scorer, and no digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.errors import DataError
from twotower.common.files import atomic_write, sha256_text
from twotower.data.prepared import Catalogue
from twotower.evaluation.holdout import EvaluationSet

PER_USER = Path("metrics/per_user.parquet")
DIGESTS = ("test_rows", "masks")


@dataclass(frozen=True)
class PerUser:
    """What the file holds.

    Attributes:
        users: user ids, one a row.
        num_relevant: [num_rows] int64.
        metrics: by scorer and metric, [num_rows] float64.
        digests: of what was to be found, and of what was ranked; empty if nothing was scored.
    """

    users: "pd.Series[Any]"
    num_relevant: Int64Array
    metrics: dict[str, dict[str, Float64Array]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


def evaluated_digests(
    catalogue: Catalogue, target: EvaluationSet, held_out: pd.DataFrame
) -> dict[str, str]:
    """Digests of what decides whether metrics of two runs are about the same.

    Args:
        catalogue: the one that is ranked.
        target: users and masks.
        held_out: user_id and item_id of the rows that are to be found.

    Returns:
        `test_rows`: of the distinct pairs of `held_out`; `masks`: of the users that are scored, the
        items that are ranked, and those that are taken out for each user. Neither depends on the
        order of rows or ids.
    """
    users, items = catalogue.users.vocabulary.ids, catalogue.items.vocabulary.ids
    rows, masked = target.masked.rows(0, len(target))
    pairs = pd.DataFrame({"user_id": users[target.users][rows], "item_id": items[masked]})
    ranked = pd.DataFrame({"user_id": users[target.users]}), pd.DataFrame({"item_id": items})
    return {
        "test_rows": _digest(held_out[["user_id", "item_id"]]),
        "masks": _short("".join(_digest(part) for part in (*ranked, pairs))),
    }


def per_user_table(
    catalogue: Catalogue,
    target: EvaluationSet,
    metrics: Mapping[str, Mapping[str, Float64Array]],
    digests: Mapping[str, str],
) -> PerUser:
    """The content of the file.

    Args:
        catalogue: that `target` was made with.
        target: whose rows `metrics` has.
        metrics: by scorer and metric, [num_rows].
        digests: from `evaluated_digests`.
    """
    users = pd.Series(catalogue.users.vocabulary.ids[target.users])
    order = users.argsort(kind="stable").to_numpy()
    return PerUser(
        users=users.iloc[order].reset_index(drop=True),
        num_relevant=target.num_relevant[order],
        metrics={
            scorer: {metric: values[order] for metric, values in found.items()}
            for scorer, found in metrics.items()
        },
        digests=dict(digests),
    )


def write_per_user(path: Path, content: PerUser) -> None:
    """Write the file; the same content gives the same bytes."""
    kind = pa.int64() if pd.api.types.is_integer_dtype(content.users.dtype) else pa.string()
    columns: dict[str, Any] = {
        "user_id": pa.array(content.users, kind),
        "num_relevant": pa.array(content.num_relevant, pa.int64()),
    }
    for scorer, metrics in sorted(content.metrics.items()):
        for metric, values in sorted(metrics.items()):
            columns[f"{scorer}.{metric}"] = pa.array(values, pa.float64())
    metadata = {name: content.digests.get(name, "") for name in DIGESTS}
    with atomic_write(path) as handle:
        table = pa.table(columns).replace_schema_metadata(metadata)
        pq.write_table(table, handle, compression="zstd")


def read_per_user(source: "Path | IO[bytes]", name: str = "") -> PerUser:
    """Read what `write_per_user` wrote.

    Args:
        source: a path, or a file opened in binary mode.
        name: of the source, for the message; a path says it itself.

    Raises:
        DataError: if it is missing, damaged or not such a file.
    """
    name = name or str(source)
    try:
        table = pq.read_table(source)
        metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        digests = {key: metadata[key] for key in DIGESTS if metadata[key]}
        users = table["user_id"].to_pandas()
        num_relevant = table["num_relevant"].to_numpy()
    except FileNotFoundError:
        msg = f"{name}: no such file; run the refit stage first (dvc repro refit, or dvc pull)"
        raise DataError(msg) from None
    except (pa.ArrowException, KeyError, AttributeError, OSError) as error:
        msg = f"{name}: damaged or not of the refit stage ({error}); run dvc repro -f -s refit"
        raise DataError(msg) from None
    metrics: dict[str, dict[str, Float64Array]] = {}
    for column in table.column_names[2:]:
        scorer, _, metric = column.partition(".")
        metrics.setdefault(scorer, {})[metric] = table[column].to_numpy()
    return PerUser(users, num_relevant, metrics, digests)


def _digest(frame: pd.DataFrame) -> str:
    """Of the distinct rows, whatever their order."""
    ordered = frame.drop_duplicates().sort_values(list(frame.columns))
    return _short(str(ordered.to_csv(index=False, lineterminator="\n")))


def _short(text: str) -> str:
    """SHA-256, as much of it as leaves a table of metrics readable."""
    return sha256_text(text)[:16]
