"""Items that came after training, from a data frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from twotower.artifacts import Artifacts, Id
from twotower.common.arrays import Float32Array
from twotower.common.errors import RequestError

if TYPE_CHECKING:
    from twotower.new_items.read import NewItems

NAME, ID = "items", "item_id"
"""What messages call the frame, and its column of ids."""


@dataclass(frozen=True)
class EncodedItems:
    """Vectors of items by their side features alone.

    Attributes:
        item_ids: of the column item_id; None without one.
        vectors: [num_items, dim] float32 in the order of the frame; items are ranked by the inner
            products of these with the vectors of users.
        unknown: cells with a category that the model has never seen, by feature of the frame.
        missing: features of the model that the frame does not have.
    """

    item_ids: Sequence[Id] | None
    vectors: Float32Array = field(repr=False)
    unknown: Mapping[str, int]
    missing: Sequence[str]


def encode_frame(artifacts: Artifacts, frame: Any) -> EncodedItems:
    """See `Recommender.encode_items`."""
    from twotower.new_items.encode import encode_new_items

    new, has_ids = read_frame(artifacts, frame, may_be_known=True)
    vectors = encode_new_items(artifacts, new.features, len(new.ids)).items
    return EncodedItems(new.ids if has_ids else None, vectors, new.unknown, new.missing)


def read_frame(
    artifacts: Artifacts, frame: Any, *, may_be_known: bool = False
) -> tuple["NewItems", bool]:
    """The items of a data frame, and whether it has their ids.

    Args:
        artifacts: of the model.
        frame: of pandas, or of what else gives its columns to Arrow.
        may_be_known: whether items of the model, and items without ids, are no error.

    Raises:
        DataError: of all that is wrong with the frame.
        RequestError: if an id is not of the type of the model's, or the item tower says nothing of
            features.
    """
    from twotower.config.data import DataConfig
    from twotower.ingest.problems import Problems
    from twotower.new_items.encode import check_reads_features
    from twotower.new_items.frames import FrameSource, frame_table
    from twotower.new_items.read import read_new_items

    check_reads_features(artifacts)
    table = frame_table(frame, NAME)
    has_ids = ID in table.column_names
    if has_ids:
        artifacts.item_ids.check(table[ID].to_pylist())
    elif may_be_known:
        rows = pa.array(range(table.num_rows), pa.int64())
        table = table.append_column(
            ID, rows if artifacts.item_ids.integers else rows.cast("string")
        )
    else:
        msg = f"{NAME}: the data frame needs a column {ID}"
        raise RequestError(msg)
    if not table.num_rows:
        msg = f"{NAME}: the data frame has no rows"
        raise RequestError(msg)
    source, model = FrameSource(table, NAME), artifacts.catalogue.items
    config = DataConfig.model_validate({"items": {"id": ID}})
    problems = Problems(advice="correct these cells")
    new = read_new_items(source, config, model, problems, may_be_known=may_be_known, strict=True)
    return new, has_ids
