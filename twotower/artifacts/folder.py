"""The layout of `.artifacts_best/`, and its loader.

user_vecs.npy, item_vecs.npy   [num_users, dim] and [num_items, dim] float32; items are ranked by
                               inner product
seen_offsets.npy, seen_items.npy
                               distinct items of each user's training rows: those of user u are
                               seen_items[seen_offsets[u]:seen_offsets[u + 1]], ascending; int64
item_counts.npy                [num_items] int64 training rows of each item: its popularity
history_item_vecs.npy          only if the user tower pools a history: [num_items, dim] float32;
                               a user with the distinct items h_1 … h_n, in order of time, has
                               the vector n^-user_exponent * sum of
                               (1 - history_decay)^(n - i) * row h_i, L2-normalised for the cosine
index.usearch                  only if refit.index is set: an approximate index of item_vecs
vocabulary/                    ids in the order of the vectors, and side features
best_model.pth                 weights only; torch.load(..., weights_only=True) reads it. A sequence
                               tower's are used to answer for histories of new users
model_meta.json                hyperparameters, metrics, data counts, what it was trained on,
                               section `history` with these two, and `files`: SHA-256 of all
                               other files
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts.ids import IdColumn
from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import ArtifactError
from twotower.common.files import sha256_file
from twotower.common.paths import ARTIFACTS
from twotower.data.interactions import ItemLists
from twotower.data.prepared import Catalogue, read_catalogue
from twotower.retrieval.approximate import index_recall, open_index

if TYPE_CHECKING:
    from usearch.index import Index

    from twotower.training.towers import TwoTower


META = "model_meta.json"
INDEX = "index.usearch"
RENEW = "dvc repro -f -s refit writes it anew"
ELSEWHERE = (
    "no such folder; run this in the repository, after dvc repro or dvc pull, or give the model's "
    "folder: Recommender.load(PATH), --artifacts PATH"
)
FORMAT_VERSION = 2
"""Raise it when the layout of the folder or the meaning of a file changes."""


@dataclass(frozen=True)
class Artifacts:
    """A trained model as loaded from its folder; memory-mapped arrays are read when used.

    Attributes:
        folder: it was loaded from.
        user_vecs: [num_users, dim] float32.
        item_vecs: [num_items, dim] float32.
        history_item_vecs: [num_items, dim] float32, what an item adds to a user who has it in the
            history; None if the user tower pools no history.
        seen: distinct items of each user's training rows.
        item_counts: [num_items] int64 training rows of each item.
        user_ids: in the order of the vectors.
        item_ids: in the order of the vectors.
        meta: the content of model_meta.json.
    """

    folder: Path
    user_vecs: Float32Array
    item_vecs: Float32Array
    history_item_vecs: Float32Array | None
    seen: ItemLists
    item_counts: Int64Array
    user_ids: IdColumn
    item_ids: IdColumn
    meta: Mapping[str, Any]

    @cached_property
    def num_items_cold(self) -> int:
        """Number of items without a training row."""
        return int(np.count_nonzero(self.item_counts == 0))

    @cached_property
    def catalogue(self) -> Catalogue:
        """Ids and side features, read from the folder on first use.

        Raises:
            ArtifactError: if the folder has been replaced since it was opened.
        """
        self._check_unchanged(name for name in self.meta["files"] if "/" in name)
        return read_catalogue(self.folder / "vocabulary")

    def index(self, *, mmap: bool = True) -> "Index":
        """The approximate index of the item vectors, read from the folder.

        Raises:
            ArtifactError: if the model has none, or its file is damaged.
            ConfigError: if usearch is not installed.
        """
        if INDEX not in self.meta["files"]:
            msg = f"{self.folder}: the model has no index; set refit.index, then dvc repro refit"
            raise ArtifactError(msg)
        try:
            return open_index(self.folder / INDEX, self.item_vecs.shape[1], mmap=mmap)
        except ValueError as error:
            msg = f"{self.folder}: {error}; {RENEW}"
            raise ArtifactError(msg) from None

    @cached_property
    def towers(self) -> "TwoTower":
        """The towers with their weights, read from the folder on first use, on the CPU.

        Raises:
            ArtifactError: if the folder has been replaced since it was opened.
        """
        import torch

        from twotower.config.training import ModelConfig
        from twotower.training.towers import load_towers

        self._check_unchanged(["best_model.pth"])
        weights = torch.load(self.folder / "best_model.pth", map_location="cpu", weights_only=True)
        return load_towers(self.catalogue, ModelConfig.model_validate(self.meta["model"]), weights)

    def _check_unchanged(self, names: Iterable[str]) -> None:
        try:
            same = all(
                sha256_file(self.folder / name) == self.meta["files"][name] for name in names
            )
        except OSError:
            same = False
        if not same:
            msg = f"{self.folder}: holds another model than when it was opened; open it again"
            raise ArtifactError(msg)


def load_artifacts(folder: Path = ARTIFACTS, *, mmap: bool = True) -> Artifacts:
    """Load what `write_artifacts` wrote.

    Args:
        folder: of the model.
        mmap: memory-map the arrays instead of reading them: instant at any size, and processes
            share them. On Windows, a folder that is mapped cannot be replaced.

    Raises:
        ArtifactError: if the folder is missing, incomplete, inconsistent, or of another format
            version.
    """
    folder = _found(folder)
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        _check_version(folder, meta["format_version"])
        names = ["user_vecs", "item_vecs", "seen_offsets", "seen_items", "item_counts"]
        if "history_item_vecs.npy" in meta["files"]:
            names.append("history_item_vecs")
        mode: Literal["r"] | None = "r" if mmap else None
        arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mode)) for name in names}
        artifacts = Artifacts(
            folder=folder,
            user_vecs=arrays["user_vecs"],
            item_vecs=arrays["item_vecs"],
            history_item_vecs=arrays.get("history_item_vecs"),
            seen=ItemLists(arrays["seen_offsets"], arrays["seen_items"]),
            item_counts=arrays["item_counts"],
            user_ids=IdColumn(folder / "vocabulary" / "users.parquet", "user", mmap=mmap),
            item_ids=IdColumn(folder / "vocabulary" / "items.parquet", "item", mmap=mmap),
            meta=meta,
        )
        _check_shapes(artifacts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{folder}: not a complete model folder ({error}); {RENEW}"
        raise ArtifactError(msg) from None
    return artifacts


def _found(folder: Path) -> Path:
    """The absolute path, so that messages say where the program looked."""
    folder = folder.absolute()
    if not folder.is_dir():
        msg = f"{folder}: {ELSEWHERE}"
        raise ArtifactError(msg)
    return folder


def _check_version(folder: Path, version: int) -> None:
    if version == FORMAT_VERSION:
        return
    remedy = "update this package" if version > FORMAT_VERSION else RENEW
    msg = f"{folder}: format version {version}, this package reads {FORMAT_VERSION}; {remedy}"
    raise ArtifactError(msg)


def _check_shapes(artifacts: Artifacts) -> None:
    users, items = len(artifacts.user_ids), len(artifacts.item_ids)
    dim = artifacts.item_vecs.shape[-1]
    history = artifacts.history_item_vecs
    expected: list[tuple[str, NDArray[Any], tuple[int, ...]]] = [
        ("user_vecs", artifacts.user_vecs, (users, dim)),
        ("item_vecs", artifacts.item_vecs, (items, dim)),
        ("seen_offsets", artifacts.seen.offsets, (users + 1,)),
        ("item_counts", artifacts.item_counts, (items,)),
    ]
    if history is not None:
        expected.append(("history_item_vecs", history, (items, dim)))
    for name, array, shape in expected:
        if array.shape != shape:
            msg = f"{name}.npy has shape {array.shape}, but the vocabulary needs {shape}"
            raise ValueError(msg)
    if artifacts.seen.offsets[-1] != len(artifacts.seen.items):
        msg = "seen_offsets.npy and seen_items.npy do not match"
        raise ValueError(msg)


def verify_artifacts(folder: Path = ARTIFACTS) -> None:
    """Compare every file with its digest in model_meta.json.

    Raises:
        ArtifactError: if a file is missing or was changed.
    """
    folder = _found(folder)
    try:
        expected = json.loads((folder / META).read_text(encoding="utf-8"))["files"]
        wrong = [name for name in expected if sha256_file(folder / name) != expected[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{folder}: not a complete model folder ({error})"
        raise ArtifactError(msg) from None
    if wrong:
        msg = f"{folder}: {wrong[0]} does not match its digest in model_meta.json"
        raise ArtifactError(msg)


def measure_index(folder: Path, k: int) -> dict[str, Any]:
    """The index of a model against exact search, at k; see `index_recall`."""
    artifacts = load_artifacts(folder)
    return index_recall(artifacts.index(), artifacts.user_vecs, artifacts.item_vecs, k)
