"""Tables of items that came after training, read as the items table was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.config.declared_features import FeatureConfig
from twotower.data.features import Features
from twotower.data.prepared import Entities
from twotower.ingest.open_file import format_of, open_source, part_files
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import columns_of, require_id
from twotower.ingest.side_tables import feature_columns, read_table
from twotower.ingest.sources.source import Source


@dataclass(frozen=True)
class NewItems:
    """Items and their features, encoded as those of a model.

    Attributes:
        ids: distinct, in the order of the table.
        features: of these items.
        unknown: cells with a category that the model does not have, by feature of the table.
        missing: features of the model that the table does not have, so that all values are missing.
        dropped: rows dropped per rule, if `data.on_invalid` says so.
        blanked: cells made missing per rule, likewise.
    """

    ids: Sequence[int | str]
    features: Features
    unknown: Mapping[str, int]
    missing: Sequence[str]
    dropped: Mapping[str, int]
    blanked: Mapping[str, int]


def open_items(path: Path, config: DataConfig) -> Source:
    """Open a table of items, which may lie anywhere and need not have the items table's format.

    Raises:
        DataError: if it is missing, empty or damaged.
    """
    files = part_files(path)
    if not files and not path.is_dir():
        msg = f"{path}: no such file"
        raise DataError(msg)
    is_clear = bool(files) and format_of(files[0]) is not None
    return open_source(path, config, None if is_clear else config.items.format)


def read_new_items(
    source: Source,
    config: DataConfig,
    model: Entities,
    problems: Problems,
    *,
    may_be_known: bool = False,
    strict: bool = False,
) -> NewItems:
    """Read and encode a table of items.

    A feature of the model that the table lacks is missing for all of them; one it must have.

    Args:
        source: the table.
        config: section `data`; of features only how they are declared counts, if they are.
        model: items of the model.
        problems: collects what is wrong.
        may_be_known: whether the table may have items that the model has.
        strict: whether a column that is no feature of the model is an error.

    Raises:
        DataError: of all that is wrong with the table.
    """
    config = _as_the_model(config, model, source)
    table = config.items
    columns = feature_columns(source, "items", table, problems)
    used = {require_id(source, "items", table.id), *columns.values()}
    names = ", ".join(model.features.columns)
    unknown = [repr(name) for name in source.header if name not in used]
    if strict and unknown:
        msg = f"{source.name}: the model has no item feature {', '.join(unknown)}; it has {names}"
        problems.add(DataError(msg))
    if not columns and not any(spec.file for spec in table.features.values()):
        msg = f"{source.name}: has no feature of the model's items ({names}); {columns_of(source)}"
        problems.add(DataError(msg))
    known = None if may_be_known else model.vocabulary
    read = read_table(source, Path(config.root), config, "items", problems, known=known)
    problems.raise_any()
    if read is None:  # which it is only after a problem
        raise DataError(source.name)
    cells = {name: feature.values for name, feature in read.features.items()}
    features, counts = model.features.encode_more(cells, len(read.column), source.name)
    missing = [name for name in model.features.columns if name not in cells]
    ids = read.column.to_pylist()
    return NewItems(ids, features, counts, missing, read.dropped, read.blanked)


def _as_the_model(config: DataConfig, model: Entities, source: Source) -> DataConfig:
    """How a table is read whose ids and features are those of the model, all of them optional."""
    features = {}
    for name, column in model.features.columns.items():
        declared = config.items.features.get(name)
        in_column = declared is not None and declared.file is not None and name in source.header
        if declared is None or declared.kind != column.name or in_column:
            stored = column.schema().get("separator")
            declared = FeatureConfig(kind=column.name, **({"separator": stored} if stored else {}))
        features[name] = declared.model_copy(update={"optional": True})
    integers = pd.api.types.is_integer_dtype(model.vocabulary.ids.dtype)
    changes = {"features": features, "id_type": "integer" if integers else "text", "title": None}
    text = model.vocabulary.text
    unicode = config.unicode if text is None else "nfc" if text.nfc else "as_is"
    items = config.items.model_copy(update=changes)
    return config.model_copy(update={"items": items, "unicode": unicode})
