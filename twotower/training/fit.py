"""The fit loop; knows nothing of searches, trials or files."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from twotower.common.errors import TrainingError
from twotower.common.seeds import derive_seed
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue
from twotower.training.device import resolve_device, use_threads
from twotower.training.loss import in_batch_softmax, squared_error
from twotower.training.towers import TwoTower, initialise

OnEpoch = Callable[[int, float, TwoTower], None]
"""Called after each epoch with its number, from 1, the mean loss of its rows, and the model."""


def fit(
    catalogue: Catalogue,
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> TwoTower:
    """Train a model; the same arguments give the same bits in every process.

    Args:
        catalogue: users and items that the model gets vectors for.
        interactions: at least one row, all within the catalogue.
        model_config: section `model`.
        train_config: section `train`.
        seed: the seed of params.yaml.
        on_epoch: sees the model after each epoch; may raise to stop.

    Raises:
        TrainingError: if the loss is not finite.
    """
    use_threads(train_config.threads)
    device = resolve_device(train_config.device)
    rows = _Rows(interactions, len(catalogue.items), device)
    model = TwoTower(catalogue, model_config)
    initialise(
        model,
        seen_users=_seen(interactions.user_idx, len(catalogue.users)),
        seen_items=_seen(interactions.item_idx, len(catalogue.items)),
        seed=derive_seed(seed, "initialise"),
    )
    model.to(device)
    optimizers = _optimizers(model, train_config.lr)
    shuffle = torch.Generator().manual_seed(derive_seed(seed, "shuffle"))
    for epoch in range(1, train_config.epochs + 1):
        total = 0.0
        for batch in rows.batches(train_config.batch_size, shuffle):
            loss = _loss(model, rows, batch, model_config, train_config)
            model.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
            total += loss.item() * len(batch)
        if not np.isfinite(total):
            msg = f"the loss is not finite in epoch {epoch} (lr {train_config.lr:g})"
            raise TrainingError(msg)
        if on_epoch is not None:
            on_epoch(epoch, total / len(rows), model)
    return model


class _Rows:
    """Interactions as tensors on the training device."""

    def __init__(self, interactions: Interactions, num_items: int, device: str) -> None:
        self.user_idx = torch.from_numpy(interactions.user_idx).to(device)
        self.item_idx = torch.from_numpy(interactions.item_idx).to(device)
        self.weight = torch.from_numpy(interactions.weight).to(device)
        frequency = np.bincount(interactions.item_idx, minlength=num_items) / len(interactions)
        with np.errstate(divide="ignore"):  # items that no row holds are never in a batch
            self.log_q = torch.from_numpy(np.log(frequency).astype(np.float32)).to(device)
        self.target = self.weight / self.weight.max().clamp(min=torch.finfo(torch.float32).tiny)

    def __len__(self) -> int:
        return len(self.user_idx)

    def batches(self, batch_size: int, shuffle: torch.Generator) -> Iterator[Tensor]:
        """Row numbers of each batch of one epoch, all rows once, in a new order."""
        order = torch.randperm(len(self), generator=shuffle)
        yield from torch.split(order.to(self.user_idx.device), batch_size)


def _loss(
    model: TwoTower, rows: _Rows, batch: Tensor, model_config: ModelConfig, config: TrainConfig
) -> Tensor:
    item_idx = rows.item_idx[batch]
    query, candidate = model.queries(rows.user_idx[batch]), model.candidates(item_idx)
    if config.loss == "mse":
        return squared_error(query, candidate, rows.target[batch])
    return in_batch_softmax(
        query,
        candidate,
        item_idx,
        log_q=rows.log_q[item_idx] if config.logq else None,
        temperature=model_config.temperature if model_config.similarity == "cosine" else 1.0,
        weight=rows.weight[batch],
    )


def _optimizers(model: TwoTower, lr: float) -> list[torch.optim.Optimizer]:
    """Adam; for the id embeddings a lazy one that touches only the rows of the batch."""
    tables = [model.user_tower.id_embedding.weight, model.item_tower.id_embedding.weight]
    others = [p for p in model.parameters() if not any(p is table for table in tables)]
    lazy: list[torch.optim.Optimizer] = [torch.optim.SparseAdam(tables, lr=lr)]
    return [*lazy, torch.optim.Adam(others, lr=lr)] if others else lazy


def _seen(idx: "np.ndarray[tuple[int], np.dtype[np.int64]]", count: int) -> Tensor:
    return torch.from_numpy(np.bincount(idx, minlength=count) > 0)
