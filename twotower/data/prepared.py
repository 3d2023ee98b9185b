"""The folder `data/prepared`: its layout, its writer and its readers.

    train.parquet, validation.parquet, test.parquet
    validation_history.parquet, test_history.parquet
        what is known of users who are held out whole; no rows with other strategies
        user_id, item_id: int64 or string, as in the raw files
        timestamp: int64 seconds since 1970, UTC; 0 where the data has no times
        weight: float32
        relevant: bool, whether it counts as held out; only with `evaluate.relevant`
    vocabulary/users.parquet, vocabulary/items.parquet
        user_id or item_id, in index order, then a column for each declared feature;
        the schema of ids that are text says how they are written, see `IdText`
    titles.parquet
        what items are called, see twotower.ingest.titles; no model reads it
    vocabulary/digests.json
        SHA-256 of what a search reads, see twotower.data.checksums
    vocabulary/features.json
        {"users": {name: schema}, "items": {name: schema}}, see `Features.schema`
    vocabulary/users.POSITION.ARRAY.npy, vocabulary/items.POSITION.ARRAY.npy
        what a feature needs besides, see `Feature.arrays`; POSITION counts features from 0, in
        alphabetical order

The files hold ids instead of indices because refit's vocabulary is larger than the search's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from twotower.common.arrays import Int64Array, save_array
from twotower.common.bounded import shown
from twotower.common.files import atomic_write, json_text, read_json, sha256_file
from twotower.common.folders import atomic_folder
from twotower.data.checksums import check_digests, data_errors, read_checked, write_digests
from twotower.data.features import KINDS, Features
from twotower.data.id_text import IdText
from twotower.data.interactions import Interactions
from twotower.data.vocabulary import Vocabulary

PREPARED = Path("data/prepared")
SPLITS = ("train", "validation", "test")
PARTS = (*SPLITS, "validation_history", "test_history")
"""The splits, and what is known of the users of two of them if these are held out whole."""
RELEVANT = "relevant"
"""Column of the rows that count when a ranking is scored; without it, all do."""
SEARCHED = ("train", "validation", "validation_history")
"""Those of PARTS that a search reads."""
ROW_GROUP = 1 << 20
"""Rows that a file holds together, and that its writer needs at once."""


@dataclass(frozen=True)
class Entities:
    """All users, or all items: their ids and side features."""

    vocabulary: Vocabulary
    features: Features

    def __len__(self) -> int:
        return len(self.vocabulary)

    def extend(self, ids: pd.Series) -> "Entities":
        """Append new ids, whose side features are missing."""
        vocabulary = self.vocabulary.extend(ids)
        return Entities(vocabulary, self.features.pad(len(vocabulary) - len(self)))

    def take(self, entities: Int64Array) -> "Entities":
        """Some of the entities, by their indices, in this order."""
        vocabulary = Vocabulary(self.vocabulary.ids[entities], self.vocabulary.text)
        return Entities(vocabulary, self.features.take(entities))

    def append(self, ids: Sequence[Any], features: Features) -> "Entities":
        """Append new ids, in this order.

        Args:
            ids: distinct, none of them among those that are there, and of their type.
            features: of the new ids, see `Features.encode_more`.
        """
        vocabulary = Vocabulary(self.vocabulary.ids.append(pd.Index(ids)), self.vocabulary.text)
        return Entities(vocabulary, self.features.concat(features))


@dataclass(frozen=True)
class Catalogue:
    """Users and items that a model has vectors for."""

    users: Entities
    items: Entities

    def encode(self, frame: pd.DataFrame) -> Interactions:
        """Replace the ids of a split by their indices, -1 for unknown ids."""
        return Interactions(
            user_idx=self.users.vocabulary.encode(frame["user_id"]),
            item_idx=self.items.vocabulary.encode(frame["item_id"]),
            weight=frame["weight"].to_numpy(np.float32, copy=True),  # torch needs it writable
            timestamp=frame["timestamp"].to_numpy(np.int64),
        )

    def extend(self, *frames: pd.DataFrame) -> "Catalogue":
        """Append the users and items of further splits."""
        return Catalogue(
            users=self.users.extend(pd.concat([frame["user_id"] for frame in frames])),
            items=self.items.extend(pd.concat([frame["item_id"] for frame in frames])),
        )


def write_row_groups(path: Path, schema: pa.Schema, groups: Iterable[pa.Table]) -> None:
    """Write one of PARTS, some rows at a time, with reproducible bytes.

    Args:
        path: of the file.
        schema: of each group, without metadata: those of pandas hold versions of libraries.
        groups: of ROW_GROUP rows each, but for the last one.
    """
    with (
        atomic_write(path) as handle,
        pq.ParquetWriter(
            handle, schema, compression="zstd", write_page_checksum=path.stem not in SEARCHED
        ) as writer,
    ):
        for group in groups:
            writer.write_table(group, ROW_GROUP)


def read_split(path: Path) -> pd.DataFrame:
    """Read what `write_row_groups` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    columns = ("user_id", "item_id", "timestamp", "weight")
    frame: pd.DataFrame = _read_parquet(path, columns, (RELEVANT,)).to_pandas()
    return frame


def has_rows(path: Path) -> bool:
    """Whether a file that `write_row_groups` wrote has any row.

    Raises:
        DataError: if the file is missing or damaged.
    """
    with data_errors(path):
        return bool(pq.read_metadata(path).num_rows)


def read_parts(folder: Path) -> dict[str, pd.DataFrame]:
    """The rows of all of PARTS, by name.

    Raises:
        DataError: if a file is missing or damaged.
    """
    check_digests(folder)
    return {name: read_split(folder / f"{name}.parquet") for name in PARTS}


def relevant_rows(held_out: pd.DataFrame) -> pd.DataFrame:
    """The rows of a held-out split that a ranking should find."""
    return held_out[held_out[RELEVANT]] if RELEVANT in held_out else held_out


def write_catalogue(folder: Path, catalogue: Catalogue, beside: Sequence[Path] = ()) -> None:
    """Write a vocabulary folder, completely or not at all.

    Args:
        folder: of the vocabulary.
        catalogue: what goes into it.
        beside: the files of SEARCHED, whose digests it gets, and those of its own files, if any.
    """
    with atomic_folder(folder) as target:
        for name, key in (("users", "user_id"), ("items", "item_id")):
            entities: Entities = getattr(catalogue, name)
            columns: dict[str, Any] = {key: _id_array(pd.Series(entities.vocabulary.ids))}
            for feature, column in entities.features.columns.items():
                columns[f"feature:{feature}"] = column.to_arrow()
            _write_arrays(target, name, entities.features)
            text = entities.vocabulary.text
            is_text = pa.types.is_string(columns[key].type)
            metadata = text.metadata if text and is_text else None
            _write_parquet(target / f"{name}.parquet", pa.table(columns), metadata)
        schema = {
            "users": catalogue.users.features.schema(),
            "items": catalogue.items.features.schema(),
        }
        (target / "features.json").write_bytes((json_text(schema) + "\n").encode())
        if beside:
            write_digests(target, beside)


def read_catalogue(folder: Path) -> Catalogue:
    """Read what `write_catalogue` wrote.

    Raises:
        DataError: if a file is missing or damaged.
    """
    schema = _read_schema(folder / "features.json")
    entities = []
    for name, key in (("users", "user_id"), ("items", "item_id")):
        features = [f"feature:{feature}" for feature in schema[name]]
        table = _read_parquet(folder / f"{name}.parquet", (key, *features))
        with data_errors(folder / f"{name}.parquet"):
            columns = {
                feature: KINDS[spec["kind"]].from_arrow(
                    table[f"feature:{feature}"], spec, _read_arrays(folder, name, position, spec)
                )
                for position, (feature, spec) in enumerate(sorted(schema[name].items()))
            }
            ids = pd.Index(table[key].to_pandas())
            text = IdText.read(table.schema.metadata)
            entities.append(Entities(Vocabulary(ids, text), Features(columns)))
    return Catalogue(*entities)


def fingerprint(folder: Path = PREPARED) -> dict[str, str]:
    """SHA-256 of each file that the search reads, by its path inside the folder."""
    names = ["train.parquet", "validation.parquet", "vocabulary/users.parquet"]
    names += ["vocabulary/items.parquet", "vocabulary/features.json"]
    names += sorted(f"vocabulary/{path.name}" for path in (folder / "vocabulary").glob("*.npy"))
    # Without rows it is left out, so that studies that are older than the file go on.
    if has_rows(folder / "validation_history.parquet"):
        names.append("validation_history.parquet")
    return {name: sha256_file(folder / name) for name in names}


def _id_array(ids: pd.Series) -> Any:
    kind = pa.int64() if pd.api.types.is_integer_dtype(ids.dtype) else pa.string()
    return pa.array(ids, type=kind)


def _write_parquet(path: Path, table: Any, metadata: dict[bytes, bytes] | None = None) -> None:
    # Pandas metadata holds versions of libraries, which would change the bytes of the file.
    with atomic_write(path) as handle:
        pq.write_table(table.replace_schema_metadata(metadata), handle, compression="zstd")


def _read_parquet(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Any:
    with data_errors(path):
        table = read_checked(path)
        return table.select([*columns, *(name for name in optional if name in table.column_names)])


def _write_arrays(folder: Path, name: str, features: Features) -> None:
    """Write the arrays of the features of users or items, each by its feature's position."""
    for position, (_, column) in enumerate(sorted(features.columns.items())):
        for array, values in column.arrays().items():
            with atomic_write(folder / _array_name(name, position, array)) as handle:
                save_array(handle, values)


def _read_arrays(
    folder: Path, name: str, position: int, spec: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    arrays = {}
    for array in spec.get("arrays", ()):
        path = folder / _array_name(name, position, array)
        with data_errors(path):
            arrays[array] = np.load(path, allow_pickle=False)
    return arrays


def _array_name(name: str, position: int, array: str) -> str:
    if not array.isidentifier():
        msg = f"{shown(array)} is no name of an array"
        raise ValueError(msg)
    return f"{name}.{position}.{array}.npy"  # not by the feature's name, which may be anything


def _read_schema(path: Path) -> dict[str, dict[str, Any]]:
    with data_errors(path):
        raw = read_json(path)
        schema = {name: dict(raw[name]) for name in ("users", "items")}
        for feature in (*schema["users"].values(), *schema["items"].values()):
            KINDS.check(feature["kind"])
        return schema
