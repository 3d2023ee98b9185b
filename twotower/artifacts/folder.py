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
index.usearch or index.flat     only if refit.index is set: an approximate index of item_vecs
vocabulary/                    ids in the order of the vectors, and side features
best_model.pth                 weights only; torch.load(..., weights_only=True) reads it. A sequence
                               tower's are used to answer for histories of new users
model_card.md                  what is known of the model, for people
model_meta.json                hyperparameters, metrics, data counts, what it was trained on,
                               section `history` with these two, `files`: SHA-256 of all other
                               files, and `digest`: of its own other keys
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts.arrays import HISTORY, KINDS, read_arrays
from twotower.artifacts.checks import check_counts, check_shapes
from twotower.artifacts.content import Bytes, check_digest, open_regular, read_content
from twotower.artifacts.damage import DAMAGE, damage_named, damaged
from twotower.artifacts.ids import IdColumn
from twotower.artifacts.meta import META, read_meta
from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import ArtifactError, ConfigError
from twotower.common.paths import ARTIFACTS
from twotower.data.interactions import ItemLists
from twotower.data.prepared import Catalogue, read_catalogue
from twotower.retrieval.approximate import (
    ItemIndex,
    file_of_index,
    index_dtype,
    index_recall,
    open_index,
)

if TYPE_CHECKING:
    from twotower.config.training import ModelConfig
    from twotower.training.towers import TwoTower


CARD = "model_card.md"
ELSEWHERE = (
    "no such folder; run this in the repository, after dvc repro or dvc pull, or give the model's "
    "folder: Recommender.load(PATH), --artifacts PATH"
)
VOCABULARIES = {"vocabulary/users.parquet": "user", "vocabulary/items.parquet": "item"}
"""Whose ids each file holds."""


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
        verify: whether what is read later is compared with its digest as well.
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
    verify: bool = True

    @cached_property
    def num_items_cold(self) -> int:
        """Number of items without a training row."""
        return int(np.count_nonzero(self.item_counts == 0))

    @cached_property
    def catalogue(self) -> Catalogue:
        """Ids and side features, read from the folder on first use.

        Raises:
            ArtifactError: if the folder has been replaced since it was opened, or is damaged.
        """
        for path in (self.folder / "vocabulary").glob("*.npy"):
            if f"vocabulary/{path.name}" not in self.meta["files"]:
                problem = ValueError(f"{META}: files lacks vocabulary/{path.name}")
                raise damaged(self.folder, problem)
        with self._unchanged(name for name in self.meta["files"] if "/" in name):
            return read_catalogue(self.folder / "vocabulary")

    def card(self) -> str | None:
        """The model card, read from the folder; None: the model has none.

        Raises:
            ArtifactError: if its file is damaged.
        """
        if CARD not in self.meta["files"]:
            return None
        with self._unchanged([CARD]):
            return (self.folder / CARD).read_text(encoding="utf-8")

    def index(self, *, mmap: bool = True) -> ItemIndex:
        """The approximate index of the item vectors, read from the folder.

        Raises:
            ArtifactError: if the model has none, or its file is damaged.
            ConfigError: if it takes usearch, which is not installed.
        """
        with damage_named(self.folder):
            content = self._index_content(mmap=mmap)
            return open_index(content, *reversed(self.item_vecs.shape))

    def index_dtype(self) -> str:
        """Type of the vectors in the index, as `build_index` takes it.

        Raises:
            ArtifactError: see `index`.
        """
        with damage_named(self.folder):
            return index_dtype(self._index_content())

    def _index_content(self, *, mmap: bool = True) -> Bytes:
        name = file_of_index(self.meta["files"])
        if name is None:
            msg = f"{self.folder}: the model has no index; set refit.index, then dvc repro refit"
            raise ArtifactError(msg)
        digest = self.meta["files"][name] if self.verify else None
        return read_content(self.folder / name, digest, mmap=mmap)

    @cached_property
    def weights(self) -> Mapping[str, NDArray[Any]]:
        """The weights of the towers, read from the folder on first use, without torch.

        Raises:
            ArtifactError: if the folder has been replaced since it was opened, or is damaged.
        """
        from twotower.artifacts.weights import read_weights

        name = "best_model.pth"
        with damage_named(self.folder), open_regular(self.folder / name) as handle:
            self._check_open(handle, name)
            return read_weights(handle)

    @cached_property
    def towers(self) -> "TwoTower":
        """The towers with their weights, on the CPU; see `weights`.

        Raises:
            ArtifactError: likewise.
            ConfigError: if torch is not installed.
        """
        try:
            import torch
        except ModuleNotFoundError:
            msg = (
                "this needs torch: pip install torch. Or, but for add-items, which writes towers: "
                'pip install "twotower[onnx]"'
            )
            raise ConfigError(msg) from None
        from twotower.artifacts.weights import load_checked

        with damage_named(self.folder):
            weights = {name: torch.from_numpy(each) for name, each in self.weights.items()}
            return load_checked(self.catalogue, self.config, weights)

    @cached_property
    def config(self) -> "ModelConfig":
        """Section `model` of the configuration that the model was trained with.

        Raises:
            ArtifactError: if it is not what it may be.
        """
        from twotower.config.training import ModelConfig

        with damage_named(self.folder):
            return ModelConfig.model_validate(self.meta["model"])

    def check_rest(self) -> None:
        """Compare the files that opening the folder does not read with their digests.

        Raises:
            ArtifactError: if one of them is damaged, or the folder has been replaced.
        """
        self._check(name for name in self.meta["files"] if name not in {*KINDS, *VOCABULARIES})

    @contextmanager
    def _unchanged(self, names: Iterable[str]) -> Iterator[None]:
        """Files that are read here by their names are those of the model, before and after."""
        listed = list(names)
        self._check(listed)
        try:
            yield
        except DAMAGE as error:
            self._check(listed)
            raise damaged(self.folder, error) from None
        self._check(listed)

    def _check(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                with open_regular(self.folder / name) as handle:
                    self._check_open(handle, name)
            except (OSError, ValueError) as error:
                raise self._changed(error) from None

    def _check_open(self, handle: FileIO, name: str) -> None:
        """Require the file of the model that was opened."""
        try:
            if self.verify:
                check_digest(handle, self.folder / name, self.meta["files"][name])
            elif read_meta(self.folder) != self.meta:
                raise ValueError(META)
        except (OSError, ValueError) as error:
            raise self._changed(error) from None

    def _changed(self, error: Exception) -> ArtifactError:
        """The error of a file that is another one: its folder was replaced, or it is damaged."""
        try:
            if read_meta(self.folder) == self.meta:
                return damaged(self.folder, error)
        except (OSError, ValueError, ArtifactError):
            pass
        msg = f"{self.folder}: holds another model than when it was opened; open it again"
        return ArtifactError(msg)


def load_artifacts(
    folder: Path = ARTIFACTS, *, mmap: bool = True, verify: bool = True
) -> Artifacts:
    """Load what `write_artifacts` wrote.

    Args:
        folder: of the model.
        mmap: memory-map the arrays instead of keeping what is read; processes share them. On
            Windows, a folder that is mapped cannot be replaced.
        verify: compare each file with its digest, and look at all values, before anything is
            believed: it reads the folder once in each process. Otherwise opening takes no longer
            for larger models, and what the files hold is taken as it is.

    Raises:
        ArtifactError: if the folder is missing, incomplete, damaged, inconsistent, or of another
            format version.
    """
    folder = _found(folder)
    with damage_named(folder):
        meta = read_meta(folder)
        digests = meta["files"] if verify else {}
        arrays = read_arrays(folder, meta, digests, mmap=mmap)
        users, items = (
            IdColumn(folder / name, whose, mmap=mmap, digest=digests.get(name))
            for name, whose in VOCABULARIES.items()
        )
        artifacts = Artifacts(
            folder=folder,
            user_vecs=arrays["user_vecs.npy"],
            item_vecs=arrays["item_vecs.npy"],
            history_item_vecs=arrays.get(HISTORY),
            seen=ItemLists(arrays["seen_offsets.npy"], arrays["seen_items.npy"]),
            item_counts=arrays["item_counts.npy"],
            user_ids=users,
            item_ids=items,
            meta=meta,
            verify=verify,
        )
        check_shapes(artifacts)
        if verify:
            check_counts(artifacts)
    return artifacts


def _found(folder: Path) -> Path:
    """The absolute path, so that messages say where the program looked."""
    folder = folder.absolute()
    if not folder.is_dir():
        msg = f"{folder}: {ELSEWHERE}"
        raise ArtifactError(msg)
    return folder


def verify_artifacts(folder: Path = ARTIFACTS) -> None:
    """Load a folder, and compare the files that are not read then with their digests as well.

    Raises:
        ArtifactError: if a file is missing, damaged or was changed.
    """
    load_artifacts(folder).check_rest()


def measure_index(folder: Path, k: int) -> dict[str, Any]:
    """The index of a model against exact search, at k; see `index_recall`."""
    artifacts = load_artifacts(folder)
    return index_recall(artifacts.index(), artifacts.user_vecs, artifacts.item_vecs, k)
