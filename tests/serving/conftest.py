"""Model folders with vectors that are given, so that answers are known beforehand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from twotower.artifacts import META, write_artifacts
from twotower.artifacts.meta import DIGEST, digest_of
from twotower.common.files import sha256_file, write_json
from twotower.data.features import Features
from twotower.data.id_text import IdText
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.serving import Recommender


class Given:
    """Stands for trained towers."""

    def __init__(
        self, user_vecs: np.ndarray, item_vecs: np.ndarray, pooled: np.ndarray | None
    ) -> None:
        self._vectors = user_vecs.astype(np.float32), item_vecs.astype(np.float32)
        self._pooled = None if pooled is None else pooled.astype(np.float32)

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        return self._vectors

    def history_item_vectors(self) -> np.ndarray | None:
        return self._pooled

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"weight": torch.zeros(1)}


def write_model(
    folder: Path,
    user_vecs: Any,
    item_vecs: Any,
    seen: list[tuple[int, int]],
    *,
    users: list[Any] | None = None,
    items: list[Any] | None = None,
    text: IdText | None = None,
    similarity: str = "dot",
    history: tuple[np.ndarray, float] | None = None,
    history_decay: float = 0.0,
    popularity_weight: float = 0.0,
    features: Features | None = None,
    index: str | None = None,
) -> Path:
    """Write a model folder; `seen` holds (user index, item index) of each training row.

    `features` are those of the items.
    """
    user_vecs, item_vecs = np.array(user_vecs), np.array(item_vecs)
    users = users if users is not None else [100 + i for i in range(len(user_vecs))]
    items = items if items is not None else [1000 + i for i in range(len(item_vecs))]
    catalogue = Catalogue(
        Entities(Vocabulary(pd.Index(users), text), Features()),
        Entities(Vocabulary(pd.Index(items), text), features or Features()),
    )
    pairs = np.array(seen, dtype=np.int64).reshape(-1, 2)
    zeros = np.zeros(len(pairs))
    rows = Interactions(pairs[:, 0], pairs[:, 1], zeros.astype(np.float32), zeros.astype(np.int64))
    pooled, exponent = history or (None, None)
    model_meta = {"similarity": similarity, "user_exponent": exponent}
    model_meta |= {"popularity_weight": popularity_weight, "history_decay": history_decay}
    meta = {"model": model_meta}
    model: Any = Given(user_vecs, item_vecs, pooled)
    write_artifacts(folder, model, catalogue, rows, meta, index=index)
    return folder


def vouch(folder: Path) -> Path:
    """Make model_meta.json say that the files are as they should be, as whoever can write may."""
    meta = json.loads((folder / META).read_text())
    meta["files"] = {name: sha256_file(folder / name) for name in meta["files"]}
    write_json(folder / META, meta | {DIGEST: digest_of(meta)})
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Recommender]:
    """Builds a recommender from vectors; see `write_model`."""

    def build(*arguments: Any, **options: Any) -> Recommender:
        return Recommender.load(write_model(tmp_path / "model", *arguments, **options))

    return build


WRITTEN, ASKED = "Jos\u00e9", " Jose\u0301\t"
"""An id as the data has it, and as a request may write it."""


def composed(folder: Path) -> Path:
    """A model of text ids that are composed: user and second of three items are WRITTEN."""
    items = ["a", WRITTEN, "c"]
    return write_model(
        folder, [[1.0]], LINE[:3], [(0, 0)], users=[WRITTEN], items=items, text=IdText(nfc=True)
    )


LINE = [[1.0], [2.0], [3.0], [4.0], [5.0]]


@pytest.fixture
def small(make: Callable[..., Recommender]) -> Recommender:
    """Users 100 (likes high items), 101 (low ones), 102 (unknown to training: zero vector).

    Items 1000..1004; rows: 100 has 1004 and 1000 (twice), 101 has 1000, 102 has 1003.
    """
    seen = [(0, 4), (0, 0), (0, 0), (1, 0), (2, 3)]
    return make([[1.0], [-1.0], [0.0]], LINE, seen)
