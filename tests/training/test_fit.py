import hashlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from tests.conftest import REPOSITORY, catalogue_of, events, split_by_time
from twotower.common.errors import ConfigError, TrainingError
from twotower.config import parse_config
from twotower.config.training import ModelConfig, TrainConfig
from twotower.config.training_choices import LOSSES, SCHEDULES, Loss, Negatives, Schedule
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.metrics import random_expectation
from twotower.evaluation.ranking import VectorScorer
from twotower.training.device import MIN_STEP_WORK, device_for, resolve_device
from twotower.training.fit import fit, step_work
from twotower.training.history import History
from twotower.training.losses import Batch
from twotower.training.towers import TwoTower

SPLITS = split_by_time(events(seed=0))
CATALOGUE = catalogue_of(SPLITS["train"], features=True)
ROWS = CATALOGUE.encode(SPLITS["train"])
MODELS = [
    (ModelConfig(dim=8), TrainConfig(epochs=2, batch_size=64)),
    (ModelConfig(dim=8, similarity="dot", hidden=(8,)), TrainConfig(epochs=2, batch_size=50)),
    (ModelConfig(dim=8, features=False), TrainConfig(epochs=2, loss="mse", logq=False)),
    (
        ModelConfig(dim=8, user_tower="history", history_half_life=30, dropout=0.1),
        TrainConfig(epochs=2, batch_size=64, schedule="cosine"),
    ),
    (
        ModelConfig(dim=8, user_tower="both", init="spectral"),
        TrainConfig(epochs=2, uniform_negatives=5, weight_decay=0.01, schedule="linear"),
    ),
    (
        ModelConfig(dim=8, user_tower="history", init="ridge", history_decay=0.2),
        TrainConfig(epochs=2, batch_size=64),
    ),
    (
        ModelConfig(dim=8, item_tower="features"),
        TrainConfig(epochs=2, loss="bilateral_softmax"),
    ),
    (ModelConfig(dim=8), TrainConfig(epochs=2, loss="full_softmax")),
    (ModelConfig(dim=8, similarity="dot"), TrainConfig(epochs=2, loss="bpr")),
    (
        ModelConfig(dim=8, similarity="dot", user_tower="sequence", dropout=0.1),
        TrainConfig(
            epochs=2,
            batch_size=16,
            loss="sampled_softmax",
            uniform_negatives=5,
            frequency_negatives=10,
        ),
    ),
    (
        ModelConfig(
            dim=9,
            user_tower="sequence",
            sequence_length=3,
            sequence_blocks=2,
            sequence_heads=2,
            popularity_weight=0.2,
        ),
        TrainConfig(epochs=2, batch_size=16, ema_decay=0.5),
    ),
]


def digest(model_config: ModelConfig, train_config: TrainConfig, seed: int = 1) -> str:
    model = fit(CATALOGUE, ROWS, model_config, train_config, seed=seed)
    return hashlib.sha256(b"".join(vectors.tobytes() for vectors in model.vectors())).hexdigest()


def digests() -> str:
    return " ".join(digest(*configs) for configs in MODELS)


def test_a_fresh_process_gives_the_same_bytes() -> None:
    code = "from tests.training.test_fit import digests; print(digests())"
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == digests()


def test_another_seed_gives_other_bytes() -> None:
    assert digest(*MODELS[0], seed=1) != digest(*MODELS[0], seed=2)


def test_the_model_is_a_moving_average_of_its_epochs() -> None:
    weights: dict[float, list[torch.Tensor]] = {0.0: [], 0.75: []}
    for decay, kept in weights.items():
        model = fit(
            CATALOGUE,
            ROWS,
            ModelConfig(dim=8, dropout=0.1),
            TrainConfig(epochs=6, batch_size=64, ema_decay=decay),
            seed=1,
            on_epoch=lambda _, __, model, kept=kept: kept.append(
                model.item_tower.id_embedding.weight.detach().clone()
            ),
        )
        assert torch.equal(model.item_tower.id_embedding.weight, kept[-1])
    expected = weights[0.0][0]
    for epoch, (plain, averaged) in enumerate(zip(weights[0.0], weights[0.75], strict=True), 1):
        share = max(0.25, 1 / epoch)
        expected = (1 - share) * expected + share * plain
        assert torch.allclose(averaged, expected, atol=1e-6)


@pytest.mark.parametrize(("model_config", "train_config"), MODELS)
def test_loss_falls(model_config: ModelConfig, train_config: TrainConfig) -> None:
    losses: list[float] = []
    config = train_config.model_copy(update={"lr": 0.02, "epochs": 8})
    fit(
        CATALOGUE, ROWS, model_config, config, seed=1,
        on_epoch=lambda _epoch, loss, _model: losses.append(loss),
    )  # fmt: skip
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_it_learns_what_there_is_to_learn() -> None:
    target = evaluation_set(CATALOGUE, SPLITS["train"], SPLITS["validation"], exclude_seen=True)
    config = TrainConfig(lr=0.03, epochs=15, batch_size=64)
    model = fit(CATALOGUE, ROWS, ModelConfig(dim=16), config, seed=1)
    recall = evaluate(VectorScorer(*model.vectors()), target, (5,)).summary()["recall_at_5"]
    assert recall > 2 * random_expectation(target, (5,)).summary()["recall_at_5"]


def test_a_history_serves_users_that_training_never_saw() -> None:
    """A user's vector without an id is a function of the user's items alone."""
    rows = SPLITS["train"]
    original = rows["user_id"].iloc[0]
    twin = rows[rows["user_id"] == original].assign(user_id=10**6)
    both = pd.concat([rows, twin], ignore_index=True)
    catalogue = catalogue_of(both)
    config = ModelConfig(dim=8, user_tower="history", user_exponent=0.4)
    model = fit(catalogue, catalogue.encode(both), config, TrainConfig(epochs=2), seed=1)
    users, _ = model.vectors()
    first, second = catalogue.users.vocabulary.encode(pd.Series([original, 10**6]))
    assert first != second
    assert np.allclose(users[first], users[second], atol=1e-5)


@pytest.mark.parametrize("init", ["random", "ridge"])
def test_own_item_is_left_out_of_the_history(init) -> None:
    """A user with one item has no history left while that item is the target."""
    rows = SPLITS["train"].drop_duplicates("user_id")
    catalogue = catalogue_of(rows)
    interactions = catalogue.encode(rows)
    config = ModelConfig(dim=8, user_tower="history", init=init)
    history = History.of(interactions, len(catalogue.users), len(catalogue.items), config)
    model = TwoTower(catalogue, config, history)
    indices = interactions.user_idx, interactions.item_idx, history.pair_of_row
    query, _ = model(*(torch.from_numpy(array) for array in indices))
    assert torch.allclose(query, torch.zeros_like(query), atol=1e-6)
    assert np.abs(model.vectors()[0]).sum(axis=1).min() > 0


def test_training_stops_after_the_last_epoch_on_the_whole_schedule() -> None:
    config = TrainConfig(epochs=6, batch_size=64, schedule="linear")
    kept: list[np.ndarray] = []
    fit(
        CATALOGUE, ROWS, ModelConfig(dim=8), config, seed=1,
        on_epoch=lambda _epoch, _loss, model: kept.append(model.vectors()[0]),
    )  # fmt: skip
    stopped = config.model_copy(update={"last_epoch": 4})
    model = fit(CATALOGUE, ROWS, ModelConfig(dim=8), stopped, seed=1)
    assert np.array_equal(model.vectors()[0], kept[3])


def test_a_loss_in_the_table_trains(monkeypatch) -> None:
    """A made-up loss is accepted by the config, and gets the candidates that its row asks for."""
    sizes = set()

    def lead(batch: Batch) -> torch.Tensor:
        """Hinge of the positive's lead over three uniform items."""
        assert torch.equal(batch.item_idx[:-3], batch.item_idx[: len(batch)])
        sizes.add(len(batch.extra))
        assert batch.log_q is not None
        scores = batch.query @ batch.extra.T
        own = (batch.query * batch.positive).sum(dim=1, keepdim=True)
        return torch.relu(1 - own + scores).mean()

    row = Loss("made_up", "hinge", lead, Negatives.BATCH, log_q=True)
    monkeypatch.setitem(LOSSES, "made_up", row)
    train = {"loss": "made_up", "epochs": 4, "lr": 0.02, "uniform_negatives": 3}
    config = parse_config({"model": {"dim": 8}, "train": train})
    losses: list[float] = []
    fit(
        CATALOGUE, ROWS, config.model, config.train, seed=1,
        on_epoch=lambda _epoch, loss, _model: losses.append(loss),
    )  # fmt: skip
    assert sizes == {3}
    assert losses[-1] < losses[0]


def test_a_schedule_in_the_table_sets_the_learning_rate(monkeypatch) -> None:
    """A made-up schedule that stops training halfway gives the model of half the epochs."""
    row = Schedule("made_up", "half of the time", lambda progress: float(progress < 0.5))
    monkeypatch.setitem(SCHEDULES, "made_up", row)
    config = parse_config({"model": {"dim": 8}, "train": {"schedule": "made_up", "epochs": 4}})
    halted = fit(CATALOGUE, ROWS, config.model, config.train, seed=1)
    half = fit(CATALOGUE, ROWS, config.model, TrainConfig(epochs=2), seed=1)
    for actual, expected in zip(halted.vectors(), half.vectors(), strict=True):
        assert np.array_equal(actual, expected)


@pytest.mark.parametrize("section", [{"loss": "made_up"}, {"schedule": "made_up"}])
def test_a_name_that_no_row_has_fails_at_once(section) -> None:
    """Even where no validation has seen it."""
    config = TrainConfig(epochs=1).model_copy(update=section)
    with pytest.raises(KeyError, match="no row is named 'made_up'"):
        fit(CATALOGUE, ROWS, ModelConfig(dim=8), config, seed=1)


def test_no_epochs_need_a_start_that_is_a_model() -> None:
    with pytest.raises(TrainingError, match=r"needs model\.init: spectral or ridge, got random"):
        fit(CATALOGUE, ROWS, ModelConfig(dim=8), TrainConfig(epochs=0), seed=1)


def test_divergence_is_a_clear_failure() -> None:
    config = TrainConfig(lr=1e30, epochs=3, batch_size=64)
    with pytest.raises(TrainingError, match=r"not finite in epoch \d \(lr 1e\+30\)"):
        fit(CATALOGUE, ROWS, ModelConfig(dim=8, similarity="dot"), config, seed=1)


def test_callback_sees_the_model_and_can_stop() -> None:
    seen = []

    def stop(epoch: int, _loss: float, model: torch.nn.Module) -> None:
        seen.append((epoch, model))
        if epoch == 2:
            raise StopIteration

    with pytest.raises(StopIteration):
        fit(CATALOGUE, ROWS, *MODELS[0][:1], TrainConfig(epochs=5), seed=1, on_epoch=stop)
    assert [epoch for epoch, _ in seen] == [1, 2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_two_fits_on_cuda_give_the_same_bytes() -> None:
    for model, train in MODELS:
        on_gpu = train.model_copy(update={"device": "cuda"})
        assert digest(model, on_gpu) == digest(model, on_gpu)


def test_unseen_ids_keep_their_zero_embedding() -> None:
    bigger = CATALOGUE.extend(SPLITS["train"].head(1).assign(user_id=10**6, item_id=10**6))
    model = fit(bigger, bigger.encode(SPLITS["train"]), ModelConfig(dim=8), TrainConfig(), seed=1)
    assert not model.user_tower.id_embedding.weight[-1].any()
    assert not model.item_tower.id_embedding.weight[-1].any()
    assert np.isfinite(model.vectors()[1]).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_missing_cuda_is_a_configuration_error() -> None:
    assert resolve_device("auto") == "cpu"
    with pytest.raises(ConfigError, match="no usable CUDA device"):
        resolve_device("cuda")


def test_auto_takes_a_gpu_for_large_steps_only(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = {work: device_for("auto", work) for work in (MIN_STEP_WORK - 1, MIN_STEP_WORK)}
    assert list(found.values()) == ["cpu", "cuda"]
    assert device_for("cuda", 1) == "cuda"
    assert device_for("cpu", MIN_STEP_WORK) == "cpu"


@pytest.mark.parametrize(
    ("model", "train", "rows", "work"),
    [
        ({}, {}, 10**6, 256 * 256 * 32),
        ({"dim": 64}, {"batch_size": 1024}, 500, 500 * 500 * 64),  # one batch holds all rows
        ({}, {"loss": "full_softmax"}, 10**6, 256 * 70 * 32),
        ({}, {"loss": "sampled_softmax", "uniform_negatives": 9}, 10**6, 256 * 10 * 32),
        ({"user_tower": "sequence"}, {}, 10**6, (256 * 50) ** 2 * 32),
        # Without training, whatever does nothing then.
        ({"init": "ridge"}, {"epochs": 0, "loss": "full_softmax"}, 500, 500 * 32),
        ({"init": "ridge", "spectral_rank": 64}, {"epochs": 0}, 500, 500 * 64),
    ],
)
def test_work_of_a_step(model, train, rows, work) -> None:
    assert step_work(ModelConfig(**model), TrainConfig(**train), rows, num_items=70) == work
