"""A user tower that reads histories, from its folder."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import catalogue_of, events, split_by_time
from twotower.artifacts import load_artifacts, write_artifacts
from twotower.common.errors import ArtifactError
from twotower.config.training import ModelConfig, TrainConfig
from twotower.serving import Recommender
from twotower.serving.query_vectors import history_vectors
from twotower.training.fit import fit

TRAIN = split_by_time(events(seed=0))["train"].drop_duplicates(["user_id", "item_id"])


def test_a_folder_that_was_replaced_is_not_read_with_the_old_ids(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    config = ModelConfig(dim=8, user_tower="sequence")
    for rows in (TRAIN, TRAIN[TRAIN["item_id"] != TRAIN["item_id"].iloc[0]]):
        catalogue = catalogue_of(rows)
        encoded = catalogue.encode(rows.assign(weight=np.float32(1)))
        model = fit(catalogue, encoded, config, TrainConfig(epochs=1), seed=1)
        write_artifacts(
            folder, model, catalogue, encoded, {"model": config.model_dump(mode="json")}
        )
        if rows is TRAIN:
            opened = Recommender.load(folder)
    with pytest.raises(ArtifactError, match="another model than when it was opened"):
        opened.recommend_from_history([TRAIN["item_id"].iloc[-1]])


@pytest.mark.parametrize(
    "model",
    [
        {"init": "spectral", "similarity": "dot"},
        {"init": "spectral", "similarity": "cosine"},
        {"init": "spectral", "similarity": "cosine", "history_decay": 0.3},
        {"init": "ridge", "similarity": "dot", "history_decay": 0.3},
        {"user_tower": "sequence", "similarity": "dot"},
        {"user_tower": "sequence", "sequence_length": 4, "popularity_weight": 0.2},
    ],
)
def test_a_history_is_read_as_in_the_tower(tmp_path: Path, model: dict[str, object]) -> None:
    catalogue = catalogue_of(TRAIN)
    rows = catalogue.encode(TRAIN.assign(weight=np.float32(1)))
    config = ModelConfig.model_validate(
        {
            "dim": 8,
            "user_tower": "history",
            "user_exponent": 0.4,
            "item_exponent": 0.3,
            **model,
        }
    )
    fitted = fit(catalogue, rows, config, TrainConfig(epochs=2, batch_size=64), seed=1)
    meta = {"model": config.model_dump(mode="json")}
    write_artifacts(tmp_path / "model", fitted, catalogue, rows, meta)
    artifacts = load_artifacts(tmp_path / "model")
    users, items = artifacts.towers.vectors()
    assert np.array_equal(users, artifacts.user_vecs)
    assert np.array_equal(items, artifacts.item_vecs)
    in_order = np.argsort(rows.timestamp, kind="stable")
    histories = [rows.item_idx[in_order][rows.user_idx[in_order] == user] for user in range(5)]
    assert np.allclose(history_vectors(artifacts, histories), users[:5], atol=1e-4)
    # Somebody new with the same items gets the same list.
    recommender = Recommender.load(tmp_path / "model")
    known = recommender.recommend([catalogue.users.vocabulary.ids[0]], k=5)
    ids = [catalogue.items.vocabulary.ids[item] for item in histories[0]]
    new = recommender.recommend_from_history(ids, k=5)
    assert list(new.to_frame()["item_id"]) == list(known.to_frame()["item_id"])
    assert set(new.source) == {"history"}
