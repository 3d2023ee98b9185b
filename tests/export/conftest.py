"""A model with side features of each kind that is exported, and what its items are called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.serving.conftest import write_model
from twotower.data.dense import Vector
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.export.destination import Batch, Destination
from twotower.export.rows import Rows
from twotower.export.run import export_rows, make_rows, open_model
from twotower.ingest.titles import write_titles
from twotower.serving import Recommender

NUM_USERS, NUM_ITEMS, DIM = 6, 23, 4
FEATURES = Features(
    {
        "colour": Categorical(np.arange(NUM_ITEMS) % 3, ("green", "red")),
        "price": Numeric(
            ((np.arange(NUM_ITEMS) + 0.99 - 64) / 52).astype(np.float32), mean=64.0, std=52.0
        ),
        "tags": MultiValued(
            np.array([1, 2, 2]), np.array([0, 2, 3] + [3] * (NUM_ITEMS - 2)), ("new", "sale")
        ),
        "text": Vector(np.ones((NUM_ITEMS, 2), np.float32), normalise=False, scale=1.0),
        "title": Categorical(np.ones(NUM_ITEMS, np.int64), ("Dr",)),
    }
)
"""The item with position i costs i + 0.99; colours are missing, green, red, and so on."""


def write(
    folder: Path, seed: int = 0, *, text: bool = False, features: Features = FEATURES
) -> Path:
    """A model of random vectors; each user u has seen items u to u + 2 (indices)."""
    rng = np.random.default_rng(seed)
    users, items = rng.normal(size=(NUM_USERS, DIM)), rng.normal(size=(NUM_ITEMS, DIM))
    seen = [(user, user + more) for user in range(NUM_USERS) for more in range(3)]
    names = [f"i'{number}" for number in range(NUM_ITEMS)] if text else None
    ids = [42, *range(101, 100 + NUM_USERS)]
    return write_model(folder, users, items, seen, users=ids, items=names, features=features)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Items 1000 to 1022, users 42 and 101 to 105; not to be changed."""
    return write(tmp_path_factory.mktemp("export") / "model")


@pytest.fixture(scope="session")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of items 1000 and 1002."""
    path = tmp_path_factory.mktemp("export") / "titles.parquet"
    ids = pa.array([1002, 1001, 1000], pa.int64())
    write_titles(path, ids, pa.chunked_array([["Two", None, "Zero"]]))
    return path


def rows_of(folder: Path, vectors: str = "items", titles: Path | None = None) -> Rows:
    return make_rows(*open_model(folder), vectors, vectors, titles)


def export(
    folder: Path, row: Destination, place: str, vectors: str = "items", titles: Path | None = None
) -> list[str]:
    """What an export says."""
    said: list[str] = []
    export_rows(rows_of(folder, vectors, titles), row, place, folder, said.append)
    return said


def expected(folder: Path, user: int, k: int) -> list[int | str]:
    """The user's best items that are not in the training history."""
    return Recommender.load(folder).recommend([user], k).item_ids[0]


class CutShortError(Exception):
    """Stands for a power cut."""


class CutShort:
    """A writer that loses its power before the batch that begins at a row."""

    def __init__(self, writer: Any, at: int) -> None:
        self._writer, self._at = writer, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, batch: Batch) -> None:
        if batch.start == self._at:
            raise CutShortError
        self._writer.write(batch)


def cut_short(row: Destination, at: int) -> Destination:
    """The destination, with writers that are cut short."""
    return replace(row, open=lambda *arguments: CutShort(row.open(*arguments), at))
