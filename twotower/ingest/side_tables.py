"""The users and items tables: only their ids and declared columns are read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray
from twotower.common.errors import DataError
from twotower.config.data import DataConfig, ItemTableConfig, TableConfig
from twotower.data.features import Features
from twotower.data.id_text import IdText
from twotower.data.prepared import Entities
from twotower.data.vocabulary import Vocabulary
from twotower.ingest.convert import as_labels
from twotower.ingest.feature_columns import RawFeature, encode_features, read_feature
from twotower.ingest.id_rules import check_ids
from twotower.ingest.ids import Ids, RawIds, choose_integers, is_header
from twotower.ingest.open_file import open_source
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import (
    find_feature,
    find_file,
    named_column,
    require_id,
)
from twotower.ingest.row_check import RowCheck
from twotower.ingest.sources.source import Source
from twotower.ingest.usual_names import FILES
from twotower.ingest.vector_files import VectorFiles

CLUSTER = "evaluate.cluster"
"""The key that names a column of the users table."""


@dataclass(frozen=True)
class SideTable:
    """The valid rows of a users or items table.

    Attributes:
        file: name of the raw file.
        ids: as the file holds them, all rows.
        column: [num_rows] distinct int64 or string ids of the valid rows.
        features: by declared name, each with num_rows values.
        titles: [num_rows] text, null where there is none; None without such a column.
        clusters: [num_rows] likewise, of users: what the group that each belongs to is called.
        num_read: rows in the file.
        dropped: rows dropped per rule.
        blanked: cells made missing per rule.
        why_text: what makes the ids text where others are integers; None: nothing.
    """

    file: str
    ids: Ids
    column: pa.Array
    features: Mapping[str, RawFeature]
    titles: pa.ChunkedArray | None
    clusters: pa.ChunkedArray | None
    num_read: int
    dropped: Mapping[str, int]
    blanked: Mapping[str, int]
    why_text: str | None

    def filter(self, rows: BoolArray) -> "SideTable":
        """The rows where `rows` is true."""
        mask = pa.array(rows)
        return replace(
            self,
            column=self.column.filter(mask),
            features={name: feature.filter(rows) for name, feature in self.features.items()},
            titles=None if self.titles is None else self.titles.filter(mask),
            clusters=None if self.clusters is None else self.clusters.filter(mask),
        )


def load_table(
    root: Path, config: DataConfig, role: str, problems: Problems, *, cluster: str | None = None
) -> SideTable | None:
    """Read the users or the items table; None if there is none and none is required.

    Args:
        root: folder of the raw files.
        config: section `data`.
        role: "users" or "items".
        problems: collects columns that are missing and rules that are broken. Of a table without
            all of its rows there, the result is None: nothing can be said of ids that it lacks.
        cluster: the column of the users table that `evaluate.cluster` names; None: it names none.

    Raises:
        DataError: if the table is required and missing, or has no ids.
    """
    table_config: TableConfig = getattr(config, role)
    path = find_file(root, role, table_config.file)
    if path is None:
        _require_no_columns(root, role, table_config, cluster)
        return None
    source = open_source(path, config, table_config.format)
    return read_table(source, root, config, role, problems, cluster=cluster)


def read_table(
    source: Source,
    root: Path,
    config: DataConfig,
    role: str,
    problems: Problems,
    *,
    known: Vocabulary | None = None,
    cluster: str | None = None,
) -> SideTable | None:
    """Read a users or an items table; see `load_table`.

    Args:
        source: the table.
        root: folder of the files of vectors.
        config: section `data`.
        role: "users" or "items".
        problems: collects columns that are missing and rules that are broken.
        known: ids that the table must not have; None: it may have any.
        cluster: see `load_table`.

    Raises:
        DataError: if it has no ids, or no rows.
    """
    table_config: TableConfig = getattr(config, role)
    id_name = require_id(source, role, table_config.id)
    names = feature_columns(source, role, table_config, problems)
    title = _title_column(source, table_config)
    group = None
    with problems.collected():
        group = cluster and named_column(source, cluster, CLUSTER)
    wanted = [id_name, *names.values(), *filter(None, (title, group))]
    table = source.read(list(dict.fromkeys(wanted)))
    check = RowCheck(source, table.num_rows, config, problems)
    ids = _read_ids(source, table[id_name], id_name, config, role)
    if source.has_header:
        _check_header(table, id_name, check)
    check_ids(ids, id_name, check, f"data.{role}.id_type: {table_config.id_type}")
    if known is not None:
        _check_new(ids, id_name, check, known)
    features = {}
    for feature, name in names.items():
        where, spec = f"{source.name}: column {name!r}", table_config.features[feature]
        with problems.collected():
            features[feature] = read_feature(
                table[name], name, spec, check, where=where, decimal=config.decimal
            )
    for files in _vector_files(root, role, table_config):
        with problems.collected():
            features[files.feature] = files.read(config, ids, id_name, check, problems)
    check.report()
    check.require_rows()
    file = Path(source.name).name
    loaded = SideTable(
        file,
        ids,
        ids.column,
        features,
        _labels(source, table, title),
        _labels(source, table, group),
        check.num_read,
        check.dropped,
        check.blanked,
        why_text=_why_text(source, ids.raw, file) if table_config.id_type == "auto" else None,
    )
    return loaded.filter(check.valid) if check.is_whole else None


def build_entities(table: SideTable | None, train_ids: pa.Array, text: IdText) -> Entities:
    """The vocabulary that the search knows, with its features.

    Held-out rows are not among the arguments, so they cannot leak.

    Args:
        table: it has every id in `train_ids`, because interactions with other ids are invalid;
            None: there is no table, and the entities have no features.
        train_ids: [num_ids] distinct ids of the training split, ascending.
        text: how ids that are text are written.
    """
    train = pd.Index(train_ids.to_pandas())
    if table is None:
        return Entities(Vocabulary(train, text), Features())
    ids = pd.Index(table.column.to_pandas())
    rows = ids.argsort().astype(np.int64)
    vocabulary = ids[rows]
    in_train = np.asarray(vocabulary.isin(train))
    features = encode_features(table.features, rows, in_train, table.file)
    return Entities(Vocabulary(vocabulary, text), features)


def _require_no_columns(root: Path, role: str, config: TableConfig, cluster: str | None) -> None:
    required = [feature for feature, spec in config.features.items() if not spec.optional]
    for key, columns, none in (
        (f"data.{role}.features", required, "{}"),
        (CLUSTER, [cluster] if cluster else [], "null"),
    ):
        if columns:
            usual = ", ".join(f"{stem}.csv" for stem in FILES[role])
            msg = (
                f"{root}: {key} declares {', '.join(columns)}, but there is no {role} table "
                f"(looked for {usual} and other formats); set data.{role}.file, or {key}: {none}"
            )
            raise DataError(msg)


def feature_columns(
    source: Source, role: str, config: TableConfig, problems: Problems
) -> dict[str, str]:
    """Column of each feature that has one, without optional ones that the table lacks."""
    columns = {}
    for feature, spec in config.features.items():
        if spec.file:
            continue
        with problems.collected():
            key = f"data.{role}.features"
            column = find_feature(source, feature, key, optional=spec.optional)
            if column is not None:
                columns[feature] = column
    return columns


def _vector_files(root: Path, role: str, config: TableConfig) -> list[VectorFiles]:
    """Of each feature that has files of its own, without optional ones that lack them."""
    files = [
        VectorFiles(root, spec, role, feature)
        for feature, spec in config.features.items()
        if spec.file
    ]
    return [each for each in files if each.exist or not each.config.optional]


def _title_column(source: Source, config: TableConfig) -> str | None:
    """Column of the titles; None if none is declared, or the table lacks it."""
    title = config.title if isinstance(config, ItemTableConfig) else None
    return title if title in source.header else None


def _labels(source: Source, table: pa.Table, name: str | None) -> pa.ChunkedArray | None:
    return name and as_labels(table[name], f"{source.name}: column {name!r}")


def _check_header(table: pa.Table, id_name: str, check: RowCheck) -> None:
    """Files that were put together have a row whose cells are the names of their columns."""
    repeats = np.ones(table.num_rows, dtype=bool)
    for name in table.column_names:
        same = is_header(pc.utf8_trim_whitespace(table[name]), [name])
        repeats &= pc.fill_null(same, fill_value=False).to_numpy()
    expected = "must not be the header again"
    check.require(
        ~repeats, rule="repeated_header", column=id_name, expected=expected, empty=repeats
    )


def _read_ids(
    source: Source, column: pa.ChunkedArray, name: str, config: DataConfig, role: str
) -> Ids:
    key = f"data.{role}.id_type"
    raw = RawIds.of(column, source, name, key)
    integers = choose_integers(raw, getattr(config, role).id_type, key)
    return raw.settle(integers=integers, text=IdText.of(config.unicode))


def _why_text(source: Source, ids: RawIds, file: str) -> str | None:
    odd = ids.first_odd_text()
    return None if odd is None else f"{odd[0]!r} ({file}, {source.place(odd[1])})"


def _check_new(ids: Ids, name: str, check: RowCheck, known: Vocabulary) -> None:
    is_known = np.zeros(len(check.valid), dtype=bool)
    is_known[ids.present] = known.encode(pd.Index(ids.column.drop_null().to_pandas())) >= 0
    expected = "must be new, but the model has the item"
    check.require(~is_known, rule="known_id", column=name, expected=expected)
