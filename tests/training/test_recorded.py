"""What a GPU does, on a CPU that stands in for it: fixed sizes, larger blocks, recorded steps."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.features import Features
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.training import fit as fitting
from twotower.training import recorded
from twotower.training.losses import Batch, in_batch_softmax
from twotower.training.optimizer import LazyAdam


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A CPU whose tensors count as queued; what is recorded runs again as it is.

    Returns:
        The number of batches that were recorded.
    """
    found: list[int] = []

    def record(run):
        found.append(1)
        return run

    for module in ("fit", "optimizer", "softmax"):
        monkeypatch.setattr(f"twotower.training.{module}.is_queued", lambda _: True)
    monkeypatch.setattr(fitting, "Recorded", partial(recorded.Recorded, record=record))
    return found


def rows() -> tuple[Catalogue, Interactions]:
    """300 rows of 40 users and 30 items, some of which occur often."""
    rng = np.random.default_rng(0)
    users, items = (Entities(Vocabulary(pd.Index(range(n))), Features()) for n in (40, 30))
    return Catalogue(users, items), Interactions(
        user_idx=rng.integers(0, 40, 300),
        item_idx=np.minimum(rng.geometric(0.1, 300) - 1, 29),
        weight=rng.uniform(0.5, 2, 300).astype(np.float32),
        timestamp=np.arange(300),
    )


def trained(model: ModelConfig, train: TrainConfig) -> tuple[list[float], dict]:
    losses: list[float] = []

    def keep(_: int, loss: float, __: object) -> None:
        losses.append(loss)

    towers = fitting.fit(*rows(), model, train, seed=1, on_epoch=keep)
    return losses, towers.state_dict()


KINDS = [
    ({}, {}, True),
    ({"hidden": [8]}, {"loss": "bilateral_softmax", "schedule": "cosine"}, True),
    ({}, {"loss": "sampled_softmax", "uniform_negatives": 9, "frequency_negatives": 5}, True),
    ({}, {"loss": "full_softmax", "weight_decay": 0.01}, True),
    ({"user_tower": "history"}, {}, False),
]
"""Sections `model` and `train`, and whether the steps are recorded."""


@pytest.mark.parametrize(("model", "train", "records"), KINDS)
def test_a_gpu_learns_what_a_cpu_does(stand_in, monkeypatch, model, train, records) -> None:
    config = ModelConfig(dim=8, **model), TrainConfig(batch_size=64, epochs=3, **train)
    losses, weights = trained(*config)
    assert len(stand_in) == records  # the last batch of an epoch is shorter
    monkeypatch.undo()
    expected_losses, expected = trained(*config)
    assert losses == pytest.approx(expected_losses, rel=1e-5)
    for name, values in expected.items():
        assert torch.allclose(weights[name], values, atol=1e-4), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize(("model", "train", "records"), KINDS)
def test_cuda_learns_what_a_cpu_does(capsys, model, train, records) -> None:  # noqa: ARG001
    train = {"batch_size": 64, "epochs": 3, **train}
    (expected_losses, expected), (losses, weights) = (
        trained(ModelConfig(dim=8, **model), TrainConfig(**train, device=device))
        for device in ("cpu", "cuda")
    )
    assert "without a CUDA graph" not in capsys.readouterr().out
    assert losses == pytest.approx(expected_losses, rel=1e-4)
    for name, values in expected.items():
        assert torch.allclose(weights[name].cpu(), values, atol=1e-3), name


@pytest.mark.usefixtures("stand_in")
def test_a_step_that_cannot_be_recorded_runs_as_it_is(monkeypatch, capsys) -> None:
    def refuse(_):
        msg = "operation not permitted when stream is capturing\nand more"
        raise RuntimeError(msg)

    monkeypatch.setattr(fitting, "Recorded", partial(recorded.Recorded, record=refuse))
    config = ModelConfig(dim=8), TrainConfig(batch_size=64, epochs=2)
    losses, _ = trained(*config)
    assert "without a CUDA graph (operation not permitted" in capsys.readouterr().out
    monkeypatch.undo()
    assert losses == pytest.approx(trained(*config)[0], rel=1e-5)


def test_no_size_depends_on_values() -> None:
    """Tensors without values: what would wait for them fails."""
    table = torch.zeros(50, 4, device="meta", requires_grad=True)
    moving = LazyAdam([table], lr=torch.tensor(0.1, device="meta"))
    items = torch.zeros(6, dtype=torch.int64, device="meta")
    vectors = torch.nn.functional.embedding(items, table, sparse=True)
    ones = torch.ones(6, device="meta")
    in_batch_softmax(Batch(vectors, vectors, items, ones, ones, log_q=ones)).backward()
    moving.step()
    assert table.shape == (50, 4)
