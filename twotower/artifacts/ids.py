"""The ids of a model's users or items, looked up without loading anything else."""

import copy
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower.artifacts.content import read_content
from twotower.artifacts.parquet import open_parquet, read_distinct
from twotower.common.arrays import Int64Array
from twotower.common.bounded import one_line, shown
from twotower.common.errors import ArtifactError, RequestError
from twotower.data.id_text import IdText
from twotower.data.vocabulary import Vocabulary

Id = int | str

INT64 = np.iinfo(np.int64)
FEW = 32
"""Ids that are looked up one by one: a table of them takes as long to make as to look up these."""


class IdColumn:
    """Ids in the order of the vectors, read from a vocabulary file when they are first needed.

    The file is opened at once, so the ids stay those of the vectors that were opened with them,
    even if the folder is replaced in the meantime.

    Attributes:
        name: "user" or "item", for messages.
        integers: whether the ids are integers; otherwise they are strings.
        text: how strings are written; None: as they are.
    """

    def __init__(
        self, path: Path, name: str, *, mmap: bool = True, digest: str | None = None
    ) -> None:
        """Open the file.

        Args:
            path: of the file.
            name: "user" or "item".
            mmap: map the file instead of reading it at once.
            digest: that it must have; None: any.

        Raises:
            OSError: if it cannot be read.
            ValueError: if it is not a vocabulary, or has another digest.
        """
        self.name, self._path = name, path
        content = read_content(path, digest, mmap=mmap)
        self._key = f"{name}_id"
        self._file = open_parquet(content, path, self._key)
        schema = self._file.schema_arrow
        self.integers = pa.types.is_integer(schema.field(self._key).type)
        self.text = IdText.read(schema.metadata)
        self._reading = threading.Lock()
        self._read: Vocabulary | None = None
        self._length = int(self._file.metadata.num_rows)

    def __len__(self) -> int:
        return self._length

    def append(self, ids: Sequence[Id]) -> "IdColumn":
        """These ids, and then others: checked, distinct, and none of them among these."""
        longer = copy.copy(self)
        longer._reading = threading.Lock()
        longer._read = Vocabulary(self._vocabulary.ids.append(pd.Index(ids)))
        longer._read.encode(longer._read.ids[:1])
        longer._length = len(longer._read)
        return longer

    @property
    def _vocabulary(self) -> Vocabulary:
        # One thread reads the file and builds the hash table; others would see half of it.
        with self._reading:
            if self._read is None:
                try:
                    column = read_distinct(self._file, self._key)
                    vocabulary = Vocabulary(pd.Index(column.to_pandas()))
                except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
                    msg = f"{self._path}: holds no distinct ids ({one_line(error)})"
                    raise ArtifactError(msg) from None
                vocabulary.encode(vocabulary.ids[:1])
                self._read = vocabulary
        return self._read

    def __getitem__(self, rows: slice) -> list[Id]:
        """The ids of these indices, as plain Python values."""
        ids: list[Id] = self._vocabulary.ids[rows].tolist()
        return ids

    @property
    def all(self) -> list[Id]:
        """Every id, in index order."""
        return self[:]

    def encode(self, ids: Iterable[Any]) -> Int64Array:
        """[len(ids)] index of each id; -1 for an id unknown to the model.

        Raises:
            RequestError: if an id is not of the type of this model's ids.
        """
        checked = self.check(ids)
        if len(checked) <= FEW:
            return np.array([self._vocabulary.place(one) for one in checked], np.int64)
        return self._vocabulary.encode(pd.Index(checked))

    def decode(self, index: Int64Array) -> list[Id]:
        """The id at each index as plain Python values; all indices must be in range."""
        ids: list[Id] = self._vocabulary.ids[index].tolist()
        return ids

    def check(self, ids: Iterable[Any]) -> list[Id]:
        """The ids as plain values, if they have the type of this model's ids: "7" is not 7.

        Text is written as in the data of the model: without blanks around it, accents composed if
        `data.unicode` said so.

        Raises:
            RequestError: naming the first one of another type.
        """
        scalar = isinstance(ids, str | bytes) or (isinstance(ids, np.ndarray) and not ids.ndim)
        if scalar or not isinstance(ids, Iterable):
            msg = f"expected a list of {self.name} ids, got {ids!r}"
            raise RequestError(msg)
        if isinstance(ids, np.ndarray | pd.Series | pd.Index) and ids.dtype != object:
            values = ids.tolist()
        else:
            values = [value.item() if isinstance(value, np.generic) else value for value in ids]
        expected = int if self.integers else str
        for value in values:
            if type(value) is not expected:
                raise self._wrong_type(value)
            if isinstance(value, int) and not INT64.min <= value <= INT64.max:
                msg = f"{self.name} ids must be 64-bit integers, got {value}"
                raise RequestError(msg)
        if self.integers:
            return values
        self._check_unicode(values)
        return values if self.text is None else [self.text.one(value) for value in values]

    def _check_unicode(self, values: list[str]) -> None:
        try:
            "".join(values).encode()
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            msg = f"{self.name} ids must be valid Unicode, got {character!r} in one"
            raise RequestError(msg) from None

    def _wrong_type(self, value: Any) -> RequestError:
        expected = "integers" if self.integers else "strings"
        return RequestError(
            f"{self.name} ids of this model are {expected}, "
            f"got {shown(value)} ({type(value).__name__})"
        )
