"""The users and items tables: only their ids and declared features are read."""

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
from twotower.ingest.open_file import open_source
from twotower.ingest.recognised_names import (
    find_feature,
    find_file,
    require_id,
)
from twotower.ingest.row_check import RowCheck, load_columns
from twotower.ingest.sources.source import Source
from twotower.ingest.usual_names import FILES


@dataclass(frozen=True)
class SideTable:
    """The valid rows of a users or items table.

    Attributes:
        file: name of the raw file.
        ids: [num_rows] distinct int64 or string ids.
        features: by declared name, each with num_rows values.
        num_read: rows in the file.
        dropped: rows dropped per rule.
        blanked: cells made missing per rule.
    """

    file: str
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
    """Read the users or the items table; None if there is none and none is required.

    Args:
        root: folder of the raw files.
        config: section `data`.
        role: "users" or "items".

    Raises:
        DataError: if the table is required and missing, or breaks a rule.
    """
    table_config: TableConfig = getattr(config, role)
    path = find_file(root, role, table_config.file)
    if path is None:
        _require_no_features(root, role, table_config)
        return None
    source = open_source(path, config, table_config.format)
    id_name = require_id(source, role, table_config.id)
    names = _feature_columns(source, role, table_config)
    table, check = load_columns(source, [id_name, *names.values()], config)
    where = f"{source.name}: column"
    ids = _check_ids(table[id_name], id_name, check, f"{where} {id_name!r}")
    features = {
        feature: read_feature(
            table[name], name, table_config.features[feature], check, f"{where} {name!r}"
        )
        for feature, name in names.items()
    }
    check.require_rows()
    loaded = SideTable(path.name, ids, features, check.num_read, check.dropped, check.blanked)
    valid = loaded.filter(check.valid)
    return replace(valid, ids=settle_ids(valid.ids, typed=source.typed))


def build_entities(table: SideTable | None, train_ids: pd.Series) -> Entities:
    """The vocabulary that the search knows, with its features.

    Held-out rows are not among the arguments, so they cannot leak.

    Args:
        table: it has every id in `train_ids`, because interactions with other ids are invalid;
            None: there is no table, and the entities have no features.
        train_ids: [num_rows] ids of the training split.
    """
    train = pd.Index(train_ids.unique())
    if table is None:
        return Entities(Vocabulary(train.sort_values()), Features())
    ids = pd.Index(table.ids.to_pandas())
    rows = ids.argsort().astype(np.int64)
    vocabulary = ids[rows]
    in_train = np.asarray(vocabulary.isin(train))
    features = encode_features(table.features, rows, in_train, table.file)
    return Entities(Vocabulary(vocabulary), features)


def _require_no_features(root: Path, role: str, config: TableConfig) -> None:
    required = [feature for feature, spec in config.features.items() if not spec.optional]
    if required:
        usual = ", ".join(f"{stem}.csv" for stem in FILES[role])
        msg = (
            f"{root}: data.{role}.features declares {', '.join(required)}, but there is no "
            f"{role} table (looked for {usual} and other formats); set data.{role}.file, or "
            f"data.{role}.features: {{}}"
        )
        raise DataError(msg)


def _feature_columns(source: Source, role: str, config: TableConfig) -> dict[str, str]:
    """Column of each declared feature, without optional ones that the table lacks."""
    columns = {
        feature: find_feature(source, feature, f"data.{role}.features", optional=spec.optional)
        for feature, spec in config.features.items()
    }
    return {feature: column for feature, column in columns.items() if column is not None}


def _check_ids(column: pa.ChunkedArray, name: str, check: RowCheck, where: str) -> pa.ChunkedArray:
    ids = as_ids(column, where)
    check.require(
        ~blank(column), rule="blank_id", column=name, expected="must not be blank", values=column
    )
    # Of the rows with one id, the first that is valid so far is kept.
    repeated = np.zeros(len(ids), dtype=bool)
    repeated[check.valid] = ids.filter(pa.array(check.valid)).to_pandas().duplicated().to_numpy()
    check.require(
        ~repeated,
        rule="duplicate_id",
        column=name,
        expected="must not repeat an id",
        values=column,
    )
    return ids
