"""Recommendations for many users, written to one file in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from twotower.artifacts import Id, IdColumn
from twotower.common.errors import ConfigError
from twotower.common.files import atomic_write, followed
from twotower.common.paths import check_place
from twotower.common.progress import track
from twotower.serving.recommendations import Recommendations
from twotower.serving.recommender import Recommender

CHUNK = 2**18
"""Recommendations, or floats of user vectors, held at a time; a row group of Parquet."""
FORMATS = (".csv", ".parquet")
FORMULA, NUMBER = r"^[=+\-@\t\r\n]", r"^[+\-]?[\d.,]+$"
"""What a spreadsheet runs when it opens a CSV file, unless it is a number."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class BatchJob:
    """Users to recommend for, and how.

    Attributes:
        users: their ids, as the file will hold them.
        histories: items of each user; None: recommend by the model's own vectors of the users.
        k: number of items per user.
        exclude_seen: whether to leave out items of the user's history.
        diversity: see `Recommender.recommend`.
        max_per: see `Recommender.recommend`.
    """

    users: Sequence[Id] | IdColumn
    histories: Sequence[Sequence[Id]] | None = None
    k: int = 10
    exclude_seen: bool = True
    diversity: float = 0.0
    max_per: Mapping[str, int] | None = None

    def chunks(self, model: Recommender) -> Iterator[Recommendations]:
        """The recommendations in chunks of users; at least one chunk."""
        # Memory per user: their recommendations, and their vector.
        shown = min(max(self.k, 1), model.num_items)
        step = max(1, CHUNK // max(shown, model.artifacts.item_vecs.shape[1]))
        how: dict[str, Any] = {"diversity": self.diversity, "max_per": self.max_per}
        for start in range(0, max(len(self.users), 1), step):
            users = self.users[start : start + step]
            if self.histories is None:
                yield model.recommend(users, self.k, self.exclude_seen, **how)
                continue
            recommendations = model.recommend_from_histories(
                self.histories[start : start + step], self.k, self.exclude_seen, **how
            )
            yield replace(recommendations, queries=users, query_name="user_id")


def write_batch(
    model: Recommender, batch: BatchJob, out: Path, say: Say | None = None
) -> dict[str, int]:
    """Write user_id, rank (from 1), item_id, score and source, one row per recommendation.

    Users are in the order of the batch; a user without any item left has no row.

    Args:
        model: that recommends.
        batch: users to recommend for.
        out: .parquet or .csv; appears when it is complete, or not at all. Ids are written as they
            are, for programs to find again.
        say: is told of ids in a .csv that a spreadsheet takes for formulas.

    Returns:
        The number of users by source.

    Raises:
        ConfigError: if `out` has another extension, is a folder, or is below a file.
        RequestError: if the model cannot answer, as k is below 1, say; nothing is written.
    """
    if out.suffix.lower() not in FORMATS:
        msg = f"{out}: the file must end in {' or '.join(FORMATS)}"
        raise ConfigError(msg)
    if out.is_dir():
        msg = f"{out}: is a folder, not a file"
        raise ConfigError(msg)
    check_place(out)
    sources: Counter[str] = Counter()
    num_formulas = 0
    schema = _schema(model, batch)
    with (
        atomic_write(followed(out)) as handle,
        _writer(handle, schema, out.suffix.lower()) as writer,
    ):
        for chunk in track(batch.chunks(model), "users", len(batch.users), size=len):
            table = _table(chunk, schema)
            writer.write_table(table)
            sources.update(chunk.source)
            num_formulas += _count_formulas(table) if say and out.suffix.lower() == ".csv" else 0
    if say and num_formulas:
        say(
            f"{out}: {num_formulas:,} ids begin with =, +, -, @ or a control character: a "
            "spreadsheet runs such text as a formula, so import the columns as text"
        )
    return dict(sorted(sources.items()))


def _schema(model: Recommender, batch: BatchJob) -> Any:
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


def _table(chunk: Recommendations, schema: Any) -> Any:
    filled = chunk.item_idx >= 0
    row_of = pa.array(np.repeat(np.arange(len(chunk)), chunk.counts))
    columns = [
        pa.array(chunk.queries, schema.field("user_id").type).take(row_of),
        pa.array((np.nonzero(filled)[1] + 1).astype(np.int32)),
        pa.array(chunk.catalogue.decode(chunk.item_idx[filled]), schema.field("item_id").type),
        pa.array(chunk.scores[filled]),
        pa.array(chunk.source, pa.string()).take(row_of),
    ]
    return pa.table(columns, schema=schema)


def _count_formulas(table: pa.Table) -> int:
    """Ids that a spreadsheet takes for formulas."""
    count = 0
    for column in (table["user_id"], table["item_id"]):
        if column.type == pa.string():
            begins = pc.match_substring_regex(column, FORMULA)
            is_number = pc.match_substring_regex(column, NUMBER)
            count += pc.sum(pc.and_not(begins, is_number)).as_py() or 0
    return count
