"""A model with items that came after training, in memory or as a folder of its own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts.folder import Artifacts
from twotower.artifacts.ids import Id
from twotower.artifacts.write import ModelFiles, write_model
from twotower.data.features import Features
from twotower.data.prepared import Catalogue
from twotower.new_items.encode import encode_new_items, with_more_items
from twotower.retrieval.approximate import build_index, file_of_index


def with_items(artifacts: Artifacts, ids: Sequence[Id], features: Features) -> Artifacts:
    """The model with further items after those that it has; what it had stays as it is.

    Args:
        artifacts: of the model, which stays as it is.
        ids: of the new items: distinct, of the type of the model's, and none of them known.
        features: of the new items, see `Features.encode_more`.

    Returns:
        The larger model, in memory but for what it shares with `artifacts`; its `folder` is still
        that of the smaller one.

    Raises:
        RequestError: if the item tower says nothing of features.
        ArtifactError: if the folder has been replaced since it was opened.
    """
    known = artifacts.catalogue
    new = encode_new_items(artifacts, features, len(ids))
    catalogue = Catalogue(known.users, known.items.append(ids, features))
    in_history = artifacts.history_item_vecs
    if in_history is not None and new.in_history is not None:
        in_history = np.concatenate([in_history, new.in_history])
    added = artifacts.meta.get("num_items_added", 0) + len(ids)
    larger = replace(
        artifacts,
        item_vecs=np.concatenate([artifacts.item_vecs, new.items]),
        history_item_vecs=in_history,
        item_counts=np.append(artifacts.item_counts, np.zeros(len(ids), np.int64)),
        item_ids=artifacts.item_ids.append(ids),
        meta={**artifacts.meta, "num_items": len(catalogue.items), "num_items_added": added},
    )
    # What the properties would read from the folder, which has the smaller model.
    vars(larger)["catalogue"] = catalogue
    vars(larger)["weights"] = with_more_items(artifacts.weights, len(ids))
    return larger


def write_with_items(folder: Path, larger: Artifacts) -> None:
    """Write a model that `with_items` returned; the same model gives the same bytes.

    Args:
        folder: replaced if it exists.
        larger: with an index if its own folder has one, built anew.

    Raises:
        ConfigError: if its index takes usearch, which is not installed.
    """
    arrays: dict[str, NDArray[Any]] = {
        "user_vecs": larger.user_vecs,
        "item_vecs": larger.item_vecs,
        "seen_offsets": larger.seen.offsets,
        "seen_items": larger.seen.items,
        "item_counts": larger.item_counts,
    }
    if larger.history_item_vecs is not None:
        arrays["history_item_vecs"] = larger.history_item_vecs
    index = None
    if file_of_index(larger.meta["files"]) is not None:
        index = build_index(larger.item_vecs, larger.index_dtype())
    weights = larger.towers.state_dict()
    files = ModelFiles(arrays, weights, index, larger.catalogue, larger.card())
    write_model(folder, files, larger.meta)
