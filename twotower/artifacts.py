"""The only writer and loader of `.artifacts_best/`.

user_vecs.npy, item_vecs.npy   [num_users, dim] and [num_items, dim] float32; their inner
                               products rank the items
vocabulary/                    ids in the order of the vectors, and side features
best_model.pth                 weights only; torch.load(..., weights_only=True) reads it
model_meta.json                hyperparameters, metrics, data counts, what it was trained on
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.errors import ArtifactError, TrainingError
from twotower.common.files import atomic_folder, atomic_write, write_json
from twotower.data.prepared import Catalogue, read_catalogue, write_catalogue

if TYPE_CHECKING:
    from twotower.training.towers import TwoTower

ARTIFACTS = Path(".artifacts_best")
FORMAT_VERSION = 1
"""Raise it when the layout of the folder or the meaning of a file changes."""


@dataclass(frozen=True)
class Artifacts:
    """A trained model as loaded from its folder.

    Attributes:
        folder: where it was loaded from.
        user_vecs: [num_users, dim] float32, memory-mapped.
        item_vecs: [num_items, dim] float32, memory-mapped.
        catalogue: ids in the order of the vectors, and side features.
        meta: the content of model_meta.json.
    """

    folder: Path
    user_vecs: NDArray[np.float32]
    item_vecs: NDArray[np.float32]
    catalogue: Catalogue
    meta: Mapping[str, Any]

    def model(self) -> "TwoTower":
        """The towers with their weights, on the CPU."""
        import torch

        from twotower.config.training import ModelConfig
        from twotower.training.towers import load_towers

        weights = torch.load(self.folder / "best_model.pth", map_location="cpu", weights_only=True)
        return load_towers(self.catalogue, ModelConfig.model_validate(self.meta["model"]), weights)


def write_artifacts(
    folder: Path, model: "TwoTower", catalogue: Catalogue, meta: Mapping[str, Any]
) -> None:
    """Write a model folder, whole or not at all; the same model gives the same bytes.

    Args:
        folder: replaced if it exists.
        model: trained; its vectors are those of `catalogue`.
        catalogue: users and items that the model was built for.
        meta: plain values; the format version is added.

    Raises:
        TrainingError: if a vector is not finite.
    """
    import torch

    user_vecs, item_vecs = model.vectors()
    if not (np.isfinite(user_vecs).all() and np.isfinite(item_vecs).all()):
        msg = "the final model's vectors are not finite: it is not written"
        raise TrainingError(msg)
    weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    with atomic_folder(folder) as target:
        for name, vectors in (("user_vecs", user_vecs), ("item_vecs", item_vecs)):
            with atomic_write(target / f"{name}.npy") as handle:
                np.save(handle, vectors, allow_pickle=False)
        with atomic_write(target / "best_model.pth") as handle:
            torch.save(weights, handle)
        write_catalogue(target / "vocabulary", catalogue)
        write_json(target / "model_meta.json", {**meta, "format_version": FORMAT_VERSION})


def load_artifacts(folder: Path = ARTIFACTS) -> Artifacts:
    """Load what `write_artifacts` wrote; the vectors are read when they are used.

    Raises:
        ArtifactError: if the folder is missing, incomplete, or of another format version.
    """
    try:
        meta = json.loads((folder / "model_meta.json").read_text(encoding="utf-8"))
        if meta["format_version"] != FORMAT_VERSION:
            msg = (
                f"{folder}: format version {meta['format_version']}, this library reads "
                f"{FORMAT_VERSION}; run the refit stage again"
            )
            raise ArtifactError(msg)
        return Artifacts(
            folder=folder,
            user_vecs=np.load(folder / "user_vecs.npy", mmap_mode="r"),
            item_vecs=np.load(folder / "item_vecs.npy", mmap_mode="r"),
            catalogue=read_catalogue(folder / "vocabulary"),
            meta=meta,
        )
    except (OSError, ValueError, KeyError) as error:
        msg = f"{folder}: not a complete model folder ({error}); run the refit stage again"
        raise ArtifactError(msg) from None
