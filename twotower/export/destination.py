"""Where vectors can be exported to: the table of destinations, and what each of them does.

A destination is a file in this folder and a row in `DESTINATIONS`. Its `open` returns a `Writer`;
`twotower.export.run` does the rest: batches, going on where a run was cut short, checks, messages.

    writer = destination.open(place, schema)         # finds or makes `schema.target`
    writer.existing()                                # rows that a run cut short has left there
    writer.write(batch)                              # in order, from there on
    writer.publish()                                 # readers of `schema.name` now see these rows
    writer.close()
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from twotower.common.choices import Table, lazy

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from twotower.artifacts import Artifacts, Id
    from twotower.common.arrays import Float32Array

POSITION = "position"
"""Column of a row's index in the model: what ties are ordered by."""
VECTOR = "vector"
"""What a column of vectors is called, where vectors are a column."""
VERSION_DIGITS = 12


class Kind(Enum):
    """What the values of a column are; None where one is missing."""

    TEXT = "text that people read"
    CATEGORY = "text that is filtered by equality"
    CATEGORIES = "a list of such texts"
    NUMBER = "a floating-point number"
    INTEGER = "a 64-bit integer"
    INTEGERS = "a list of them"


@dataclass(frozen=True)
class Field:
    """A column besides the vectors."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Schema:
    """What is exported.

    Attributes:
        name: by which readers ask; lower-case letters, digits and underscores, a letter first.
        version: hexadecimal digest of all that is exported, VERSION_DIGITS long.
        model: SHA-256 of the model, as `version_of` gives it.
        dim: length of the vectors, which are compared by inner product.
        count: number of rows.
        fields: the columns besides the vectors; the first is the id (`item_id` or `user_id`:
            INTEGER or CATEGORY), the second POSITION, from 0.
    """

    name: str
    version: str
    model: str
    dim: int
    count: int
    fields: tuple[Field, ...]

    @property
    def id(self) -> Field:
        """The column of ids."""
        return self.fields[0]

    @property
    def target(self) -> str:
        """Name of the collection, index or table of this version, which `name` will lead to."""
        return f"{self.name}_{self.version}"

    def is_version(self, name: str) -> bool:
        """Whether a collection of that name is a version of this export: the only ones to drop."""
        version = name.removeprefix(f"{self.name}_")
        return (
            len(version) == VERSION_DIGITS
            and name != version
            and not version.strip("0123456789abcdef")
        )

    @property
    def mark(self) -> dict[str, str]:
        """What a destination keeps beside the rows, to know its own by and for people to see."""
        return {"made_by": "twotower export", "model": self.model, "version": self.version}


@dataclass(frozen=True)
class Batch:
    """Consecutive rows.

    Attributes:
        columns: [n] rows of `schema.fields`, in that order; null where a value is missing.
        vectors: [n, dim] float32, contiguous.
    """

    columns: "pa.RecordBatch"
    vectors: "Float32Array"

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def start(self) -> int:
        """Position of the first row."""
        position: int = self.columns.column(1)[0].as_py()
        return position

    @property
    def ids(self) -> "list[Id]":
        """[n] ids, as plain values."""
        ids: list[Id] = self.columns.column(0).to_pylist()
        return ids

    def rows(self) -> Iterator[dict[str, Any]]:
        """The columns of each row by name, as plain values, without those that are missing."""
        for row in self.columns.to_pylist():
            yield {name: value for name, value in row.items() if value is not None}


class Writer(Protocol):
    """Fills `schema.target`, one version of an export, and then lets `schema.name` lead to it.

    Raises ExportError, in one line, wherever the destination fails, refuses, or holds under one of
    these names what `export` did not make: that is never changed or dropped.
    """

    def is_current(self) -> bool:
        """Whether `schema.name` leads to this version already, so that there is nothing to do."""

    def existing(self) -> int:
        """Number of rows of this version that are there, the first ones."""

    def write(self, batch: Batch) -> None:
        """Add rows, durably; rows that are there already are replaced by the same.

        Batches come in order. After a run that was cut short the first one begins at a multiple of
        the destination's `batch`, at or below `existing()`.
        """

    def publish(self) -> None:
        """Let readers see this version in place of the one before, in one step; all rows are there.

        The version before is kept, for readers that are in the midst of it, and to go back to.
        Older ones are dropped, and so is what exports of other models have left half filled.
        """

    def close(self) -> None:
        """Let go of the destination; what is not published stays, to be gone on with."""


class Place(Enum):
    """What says where a destination is."""

    FOLDER = "--output"
    URL = "--url"


@dataclass(frozen=True)
class Destination:
    """What vectors can be exported to.

    Attributes:
        name: after `--to`.
        summary: one line for help and docs.
        place: what it is given: the path of a folder, or a URL.
        open: makes a Writer of the place and a Schema; a library that it imports and does not find
            ends in a line that names the extra.
        extra: of the package twotower, which installs what it needs; None: nothing more.
        batch: rows that are written at a time.
    """

    name: str
    summary: str
    place: Place
    open: Callable[[str, Schema], Writer]
    extra: str | None = None
    batch: int = 1_000


@dataclass(frozen=True)
class TowersFormat:
    """What the towers themselves, not the vectors, can be exported to.

    Attributes:
        name: after `--to`.
        summary: one line for help and docs.
        write: makes the folder, given the model and its path; returns what was done, in a line.
        extra: as of a Destination.
    """

    name: str
    summary: str
    write: "Callable[[Artifacts, Path], str]"
    extra: str | None = None


FILES = 1 << 16
"""Rows of a batch for what is written to files."""

DESTINATIONS: Table[Destination | TowersFormat] = Table(
    "--to",
    Destination(
        "parquet",
        "a Parquet file, vectors as a column",
        Place.FOLDER,
        lazy("twotower.export.parquet:open_parquet"),
        batch=FILES,
    ),
    Destination(
        "npy",
        "an array of numpy, and a Parquet file of what its rows are",
        Place.FOLDER,
        lazy("twotower.export.npy:open_npy"),
        batch=FILES,
    ),
    Destination(
        "faiss",
        "an exact index of faiss (IndexFlatIP), and a Parquet file of what its rows are",
        Place.FOLDER,
        lazy("twotower.export.faiss:open_faiss"),
        extra="faiss",
        batch=FILES,
    ),
    Destination(
        "usearch",
        "an approximate index of usearch, and a Parquet file of what its rows are",
        Place.FOLDER,
        lazy("twotower.export.usearch:open_usearch"),
        extra="index",
        batch=FILES,
    ),
    Destination(
        "qdrant",
        "a collection of Qdrant, behind an alias",
        Place.URL,
        lazy("twotower.export.qdrant:open_qdrant"),
        extra="qdrant",
    ),
    Destination(
        "pgvector",
        "a table of PostgreSQL with the extension pgvector, behind a view",
        Place.URL,
        lazy("twotower.export.pgvector:open_pgvector"),
        extra="pgvector",
    ),
    Destination(
        "opensearch",
        "an index of OpenSearch, behind an alias",
        Place.URL,
        lazy("twotower.export.opensearch:open_opensearch"),
        extra="opensearch",
    ),
    Destination(
        "elasticsearch",
        "an index of Elasticsearch, behind an alias",
        Place.URL,
        lazy("twotower.export.elasticsearch:open_elasticsearch"),
        extra="elasticsearch",
    ),
    Destination(
        "milvus",
        "a collection of Milvus, behind an alias",
        Place.URL,
        lazy("twotower.export.milvus:open_milvus"),
        extra="milvus",
    ),
    TowersFormat(
        "onnx",
        "the towers as graphs of ONNX, in a folder that Triton can load",
        lazy("twotower.onnx.write:export_towers"),
        extra="onnx",
    ),
)
