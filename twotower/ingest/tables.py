"""The users and items tables: ids and declared features, nothing else of them is read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower.common.arrays import BoolArray
from twotower.common.errors import DataError
from twotower.config.data import DataConfig, TableConfig
from twotower.data.features import Features
from twotower.data.prepared import Entities
from twotower.data.vocabulary import Vocabulary
from twotower.ingest.convert import as_ids, blank, settle_ids
from twotower.ingest.feature_columns import RawFeature, encode_features, read_feature
from twotower.ingest.open_source import open_source
from twotower.ingest.recognise import (
    COLUMNS,
    FILES,
    columns_of,
    find_column,
    find_feature,
    find_file,
    named_column,
    normalise,
)
from twotower.ingest.row_check import RowCheck
from twotower.ingest.sources.source import Source


@dataclass(frozen=True)
class SideTable:
    """The usable rows of a users or items table.

    Attributes:
        path: of the file.
        ids: [num_rows] distinct int64 or string ids.
        features: by declared name, each with num_rows values.
        num_read: rows in the file.
        dropped: rows dropped per rule.
        blanked: cells made missing per rule.
    """

    path: Path
    ids: pa.ChunkedArray
    features: Mapping[str, RawFeature]
    num_read: int
    dropped: Mapping[str, int]
    blanked: Mapping[str, int]

    def filter(self, rows: BoolArray) -> "SideTable":
        """The rows where `rows` is true."""
        features = {name: feature.filter(rows) for name, feature in self.features.items()}
        return replace(self, ids=self.ids.filter(pa.array(rows)), features=features)


def load_table(root: Path, config: DataConfig, role: str) -> SideTable | None:
    """Read the users or the items table; None where there is none and none is needed.

    Args:
        root: folder of the raw files.
        config: section `data`.
        role: "users" or "items".

    Raises:
        DataError: if the table is needed and missing, or breaks a rule.
    """
    table_config: TableConfig = getattr(config, role)
    path = find_file(root, role, table_config.file)
    if path is None:
        _require_no_features(root, role, table_config)
        return None
    source = open_source(path, config, table_config.format)
    id_name = _id_column(source, role, table_config.id)
    found = {
        feature: find_feature(source, feature, f"data.{role}.features", optional=spec.optional)
        for feature, spec in table_config.features.items()
    }
    names = {feature: column for feature, column in found.items() if column is not None}
    table, num_ragged = source.load(list(dict.fromkeys([id_name, *names.values()])))
    check = RowCheck(source, table.num_rows, num_ragged, config)
    ids = _check_ids(table[id_name], id_name, check, f"{path}: column {id_name!r}")
    features = {
        feature: read_feature(
            table[name], name, table_config.features[feature], check, f"{path}: column {name!r}"
        )
        for feature, name in names.items()
    }
    check.require_rows()
    num_read = table.num_rows + num_ragged
    loaded = SideTable(path, ids, features, num_read, check.dropped, check.blanked)
    usable = loaded.filter(check.valid)
    return replace(usable, ids=settle_ids(usable.ids, typed=source.typed))


def build_entities(table: SideTable | None, train_ids: pd.Series) -> Entities:
    """The vocabulary that the search knows, with its features.

    Held-out rows are not among the arguments, so nothing of them can leak.

    Args:
        table: every id in `train_ids` is one of its ids, because interactions with others were
            refused; None: there is none, and the entities have no features.
        train_ids: [num_rows] ids of the training split.
    """
    train = pd.Index(train_ids.unique())
    if table is None:
        return Entities(Vocabulary(train.sort_values()), Features())
    ids = pd.Index(table.ids.to_pandas())
    rows = ids.argsort().astype(np.int64)
    vocabulary = ids[rows]
    in_train = np.asarray(vocabulary.isin(train))
    features = encode_features(table.features, rows, in_train, str(table.path))
    return Entities(Vocabulary(vocabulary), features)


def _require_no_features(root: Path, role: str, config: TableConfig) -> None:
    needed = [feature for feature, spec in config.features.items() if not spec.optional]
    if needed:
        declared = ", ".join(needed)
        usual = ", ".join(f"{stem}.csv" for stem in FILES[role])
        msg = (
            f"{root}: data.{role}.features declares {declared}, but there is no {role} table "
            f"(looked for {usual} and the like); name it in data.{role}.file, or set "
            f"data.{role}.features: {{}}"
        )
        raise DataError(msg)


def _id_column(source: Source, role: str, configured: str | None) -> str:
    parameter = f"data.{role}.id"
    if configured is not None:
        return named_column(source, configured, parameter)
    column = find_column(source, role.removesuffix("s"), None, parameter)
    column = column or next((name for name in source.header if normalise(name) == "id"), None)
    if column is None:
        usual = ", ".join(COLUMNS[role.removesuffix("s")][:3])
        msg = (
            f"{source.path}: no column is the id ({usual}, …); set {parameter}; "
            f"{columns_of(source)}"
        )
        raise DataError(msg)
    return column


def _check_ids(column: pa.ChunkedArray, name: str, check: RowCheck, where: str) -> pa.ChunkedArray:
    ids = as_ids(column, where)
    check.require(
        ~blank(column), rule="blank_id", column=name, expected="must not be blank", values=column
    )
    # Of an id, the first row that has kept all rules so far is the one that stays.
    repeated = np.zeros(len(ids), dtype=bool)
    repeated[check.valid] = ids.filter(pa.array(check.valid)).to_pandas().duplicated().to_numpy()
    check.require(
        ~repeated,
        rule="duplicate_id",
        column=name,
        expected="must hold an id in one row only",
        values=column,
    )
    return ids
