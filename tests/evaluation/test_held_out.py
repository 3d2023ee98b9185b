"""New users are evaluated as they are served."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import catalogue_of, events, split_by_user
from twotower.artifacts import write_artifacts
from twotower.config.training import ModelConfig, TrainConfig
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import HeldOut, ordered_items
from twotower.evaluation.ranking import rank
from twotower.serving import Recommender
from twotower.serving.query_vectors import history_vectors
from twotower.training.fit import fit

PARTS = split_by_user(events(seed=0))
TRAIN, HISTORY, TEST = PARTS["train"], PARTS["test_history"], PARTS["test"]
MODELS: list[dict[str, Any]] = [
    {"user_tower": "id"},
    {"user_tower": "id", "similarity": "dot", "popularity_weight": 0.3},
    {"user_tower": "history", "user_exponent": 0.4, "popularity_weight": 0.3},
    {"user_tower": "both", "similarity": "dot"},
    {"user_tower": "history", "init": "ridge", "similarity": "dot", "history_decay": 0.3},
    {"user_tower": "sequence", "sequence_length": 4},
]


def held_out(history: pd.DataFrame = HISTORY, rows: pd.DataFrame = TEST) -> HeldOut:
    return HeldOut.of(catalogue_of(TRAIN), TRAIN, history, rows, exclude_seen=True)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: ", ".join(map(str, model.values())))
def test_vectors_and_rankings_are_those_of_the_recommender(
    tmp_path: Path, model: dict[str, Any]
) -> None:
    config = ModelConfig.model_validate({"dim": 8, **model})
    catalogue = catalogue_of(TRAIN)
    rows = catalogue.encode(TRAIN)
    fitted = fit(catalogue, rows, config, TrainConfig(epochs=2, batch_size=64), seed=1)
    write_artifacts(
        tmp_path / "model", fitted, catalogue, rows, {"model": config.model_dump(mode="json")}
    )
    recommender = Recommender.load(tmp_path / "model")
    # Evaluated in memory, and served from the folder: the same bits, but for a sequence tower,
    # which reads many histories at once in evaluation, and each alone in serving.
    target = held_out().target
    scorer = held_out().scorer(fitted, config)
    histories = [group.tolist() for _, group in HISTORY.groupby("user_id")["item_id"]]
    latest = [list(dict.fromkeys(reversed(items)))[::-1] for items in histories]
    encoded = [recommender.artifacts.item_ids.encode(items) for items in latest]
    served = history_vectors(recommender.artifacts, [np.array(items) for items in encoded])
    if config.reads_sequence:
        assert scorer.user_vecs.numpy() == pytest.approx(served, abs=1e-6)
    else:
        assert scorer.user_vecs.numpy().tobytes() == served.tobytes()
    answers = recommender.recommend_from_histories(histories, k=5)
    assert answers.item_idx[target.users].tolist() == rank(scorer, target, 5).top.tolist()


def test_only_what_is_folded_in_is_known_of_a_new_user() -> None:
    found = held_out()
    assert found.catalogue.users.vocabulary.ids.tolist() == sorted(set(HISTORY["user_id"]))
    assert len(found.target) + found.target.num_users_nothing_new == len(set(TEST["user_id"]))
    assert found.target.num_users_cold == 0
    known = HISTORY.groupby("user_id")["item_id"].nunique().to_numpy()
    assert found.target.masked.counts.tolist() == known[found.target.users].tolist()
    assert found.folded_in is not None
    assert len(found.folded_in) == len(HISTORY)
    assert found.item_counts.sum() == len(TRAIN)


def test_users_with_training_rows_are_scored_by_these() -> None:
    late = TRAIN.groupby("user_id").tail(1)
    found = held_out(HISTORY[:0], late)
    assert found.folded_in is None
    assert found.catalogue.users.vocabulary.ids.tolist() == sorted(set(TRAIN["user_id"]))


def test_of_items_that_the_model_lacks_nothing_is_known() -> None:
    first = HISTORY["user_id"] == HISTORY["user_id"].iloc[0]
    found = held_out(HISTORY.assign(item_id=HISTORY["item_id"].where(first, 7)))
    assert len(found.target) == len(set(TEST["user_id"]))
    assert found.target.masked.counts[1:].tolist() == [0] * 5
    config = ModelConfig(dim=8)
    catalogue = catalogue_of(TRAIN)
    fitted = fit(catalogue, catalogue.encode(TRAIN), config, TrainConfig(epochs=1), seed=1)
    top = rank(found.scorer(fitted, config), found.target, len(catalogue.items)).top
    popular = np.argsort(-found.item_counts, kind="stable")
    assert top[1].tolist() == top[2].tolist() == popular.tolist()
    assert top[0].tolist() != popular.tolist()


def test_new_users_are_found_by_their_group() -> None:
    config = ModelConfig(dim=8, user_tower="history", init="ridge", similarity="dot")
    catalogue = catalogue_of(TRAIN)
    fitted = fit(catalogue, catalogue.encode(TRAIN), config, TrainConfig(epochs=0), seed=1)
    found = held_out()
    metrics = evaluate(found.scorer(fitted, config), found.target, (5,)).summary()
    assert metrics["recall_at_5"] > 0.5


def test_the_latest_row_of_an_item_is_its_place() -> None:
    rows = catalogue_of(TRAIN).encode(
        pd.DataFrame(
            {
                "user_id": [102, 102, 102, 102, 103],
                "item_id": TRAIN["item_id"].min() + np.array([2, 0, 2, 1, 1]),
                "timestamp": [3, 9, 5, 9, 1],
                "weight": 1.0,
            }
        )
    )
    items = [found.tolist() for found in ordered_items(rows, 4)]
    first = rows.item_idx[1]
    assert items == [[first + 2, first, first + 1], [first + 1], [], []]
