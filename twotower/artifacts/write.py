"""The writer of `.artifacts_best/`; its layout is described in `folder`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts.folder import CARD
from twotower.artifacts.meta import DIGEST, FORMAT_VERSION, META, digest_of
from twotower.common.arrays import save_array
from twotower.common.errors import TrainingError
from twotower.common.files import atomic_write, sha256_file, write_json, write_text
from twotower.common.folders import atomic_folder
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, write_catalogue
from twotower.retrieval.approximate import build_index, index_file

if TYPE_CHECKING:
    from torch import Tensor

    from twotower.training.towers import TwoTower


def write_artifacts(
    folder: Path,
    model: "TwoTower",
    catalogue: Catalogue,
    rows: Interactions,
    meta: Mapping[str, Any],
    *,
    index: str | None = None,
    card: str | None = None,
) -> None:
    """Write a model folder, whole or not at all; the same model gives the same bytes.

    Args:
        folder: replaced if it exists.
        model: trained for the users and items of `catalogue`.
        catalogue: users and items that the model was built for.
        rows: training rows, as indices into `catalogue`.
        meta: plain values, with section `model`; if the user tower pools histories, section
            `history` is added, and what `write_model` adds.
        index: dtype of an approximate index of the item vectors; None: without one.
        card: the model card; None: without one.

    Raises:
        TrainingError: if a vector is not finite.
        ConfigError: if `index` takes usearch, which is not installed.
    """
    user_vecs, item_vecs = model.vectors()
    arrays = {
        "user_vecs": user_vecs,
        "item_vecs": item_vecs,
        **_training_rows(rows, len(catalogue.users), len(catalogue.items)),
    }
    pooled = model.history_item_vectors()
    if pooled is not None:
        arrays["history_item_vecs"] = pooled
        pooling = {key: meta["model"][key] for key in ("user_exponent", "history_decay")}
        meta = {**meta, "history": pooling}
    weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    content = None if index is None else build_index(item_vecs, index)
    write_model(folder, ModelFiles(arrays, weights, content, catalogue, card), meta)


@dataclass(frozen=True)
class ModelFiles:
    """What the files of a model folder hold.

    Attributes:
        arrays: by name, without .npy.
        weights: of the towers, on the CPU.
        index: content of the index's file; None: there is none.
        catalogue: users and items that have vectors.
        card: the model card; None: there is none.
    """

    arrays: Mapping[str, NDArray[Any]]
    weights: Mapping[str, "Tensor"]
    index: bytes | None
    catalogue: Catalogue
    card: str | None = None


def write_model(folder: Path, files: ModelFiles, meta: Mapping[str, Any]) -> None:
    """Write a model folder, whole or not at all.

    Args:
        folder: replaced if it exists.
        files: what goes into it.
        meta: plain values; `num_items_cold`, format version and digests are added.

    Raises:
        TrainingError: if a vector is not finite.
    """
    if not all(np.isfinite(array).all() for array in files.arrays.values()):
        msg = "the final model's vectors are not finite, so it is not written"
        raise TrainingError(msg)
    with atomic_folder(folder, META) as target:
        for name, array in files.arrays.items():
            with atomic_write(target / f"{name}.npy") as handle:
                save_array(handle, array)
        with atomic_write(target / "best_model.pth") as handle:
            save_weights(handle, files.weights)
        if files.index is not None:
            with atomic_write(target / index_file(files.index)) as handle:
                handle.write(files.index)
        if files.card is not None:
            write_text(target / CARD, files.card)
        write_catalogue(target / "vocabulary", files.catalogue)
        counted = {
            "num_items_cold": int(np.count_nonzero(files.arrays["item_counts"] == 0)),
            "files": file_digests(target),
            "format_version": FORMAT_VERSION,
        }
        whole = {**meta, **counted}
        write_json(target / META, {**whole, DIGEST: digest_of(whole)})


def save_weights(handle: IO[bytes], weights: Mapping[str, "Tensor"]) -> None:
    """Write weights; torch, which goes on after an error of the disk, ends with another one."""
    import torch

    try:
        torch.save(dict(weights), handle)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _training_rows(rows: Interactions, num_users: int, num_items: int) -> dict[str, NDArray[Any]]:
    """What serving needs of the training rows."""
    seen = rows.distinct_items(num_users, num_items)
    items = rows.item_idx[rows.item_idx >= 0]
    return {
        "seen_offsets": seen.offsets.astype(np.int64),
        "seen_items": seen.items.astype(np.int64),
        "item_counts": np.bincount(items, minlength=num_items).astype(np.int64),
    }


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but model_meta.json, by its path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: sha256_file(path) for name, path in named.items() if name != META}
