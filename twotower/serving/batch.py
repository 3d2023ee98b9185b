"""Recommendations for many users into one file, in bounded memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from tqdm import tqdm

from twotower.artifacts import Id, IdColumn
from twotower.common.errors import ConfigError
from twotower.common.files import atomic_write
from twotower.common.paths import check_place
from twotower.serving.recommendations import Recommendations
from twotower.serving.recommender import Recommender

CHUNK = 2**18
"""Recommendations, or numbers of user vectors, held at a time; with Parquet, a row group."""
FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class Batch:
    """Whom to recommend for, and how.

    Attributes:
        users: ids that the file will hold.
        histories: the items of each; None: what the model knows of the users.
        k: items a user.
        exclude_seen: whether items of the history are left out.
    """

    users: Sequence[Id] | IdColumn
    histories: Sequence[Sequence[Id]] | None = None
    k: int = 10
    exclude_seen: bool = True

    def answers(self, model: Recommender) -> Iterator[Recommendations]:
        """The recommendations, a chunk of users at a time; at least one chunk."""
        # A user costs the recommendations, and a vector.
        shown = min(max(self.k, 1), model.num_items)
        step = max(1, CHUNK // max(shown, model.artifacts.item_vecs.shape[1]))
        for start in range(0, max(len(self.users), 1), step):
            users = self.users[start : start + step]
            if self.histories is None:
                yield model.recommend(users, self.k, self.exclude_seen)
                continue
            found = model.recommend_from_histories(
                self.histories[start : start + step], self.k, self.exclude_seen
            )
            yield replace(found, asked=users, asked_name="user_id")


def write_batch(model: Recommender, batch: Batch, out: Path) -> dict[str, int]:
    """Write user_id, rank (from 1), item_id, score and source, a row a recommendation.

    Users are in the order of the batch; one who has no item left has no row.

    Args:
        model: whose recommendations.
        batch: for whom.
        out: .parquet or .csv; appears when it is complete, or not at all.

    Returns:
        The number of users by source.

    Raises:
        ConfigError: if the file is of another kind, a folder, or below a file.
        RequestError: if an id is of the wrong type or k below 1; nothing is written.
    """
    if out.suffix.lower() not in FORMATS:
        msg = f"{out}: recommendations are written as {' or '.join(FORMATS)}"
        raise ConfigError(msg)
    if out.is_dir():
        msg = f"{out}: is a folder; name a file"
        raise ConfigError(msg)
    check_place(out)
    sources: Counter[str] = Counter()
    schema = _schema(model, batch)
    with (
        atomic_write(out) as handle,
        _writer(handle, schema, out.suffix.lower()) as writer,
        tqdm(total=len(batch.users), unit="user", disable=None) as progress,
    ):
        for found in batch.answers(model):
            writer.write_table(_table(found, schema))
            sources.update(found.source)
            progress.update(len(found))
    return dict(sorted(sources.items()))


def _schema(model: Recommender, batch: Batch) -> Any:
    artifacts = model.artifacts
    integers = artifacts.user_ids.integers
    if batch.histories is not None:
        integers = all(isinstance(user, int) for user in batch.users[:])
    return pa.schema(
        {
            "user_id": pa.int64() if integers else pa.string(),
            "rank": pa.int32(),
            "item_id": pa.int64() if artifacts.item_ids.integers else pa.string(),
            "score": pa.float32(),
            "source": pa.string(),
        }
    )


@contextmanager
def _writer(handle: IO[bytes], schema: Any, suffix: str) -> Iterator[Any]:
    if suffix == ".parquet":
        with pq.ParquetWriter(handle, schema, compression="zstd") as writer:
            yield writer
    else:
        with pyarrow.csv.CSVWriter(handle, schema) as writer:
            yield writer


def _table(found: Recommendations, schema: Any) -> Any:
    filled = found.item_idx >= 0
    row_of = pa.array(np.repeat(np.arange(len(found)), found.counts))
    columns = [
        pa.array(found.asked, schema.field("user_id").type).take(row_of),
        pa.array((np.nonzero(filled)[1] + 1).astype(np.int32)),
        pa.array(found.item_ids_of.decode(found.item_idx[filled]), schema.field("item_id").type),
        pa.array(found.scores[filled]),
        pa.array(found.source, pa.string()).take(row_of),
    ]
    return pa.table(columns, schema=schema)
