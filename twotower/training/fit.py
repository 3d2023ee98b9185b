"""The fit loop; knows nothing of searches or trials."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twotower.common.errors import TrainingError
from twotower.common.seeds import derive_seed
from twotower.config.training import (
    LOSSES,
    SCHEDULES,
    STARTS,
    ModelConfig,
    Negatives,
    TrainConfig,
    check_start,
)
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue
from twotower.training.device import resolve_device, use_threads
from twotower.training.history import History
from twotower.training.losses import Batch
from twotower.training.optimizer import LazyAdam
from twotower.training.popularity_term import popularity_addend
from twotower.training.starts import StartInputs
from twotower.training.towers import TwoTower

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
    decompositions: Path | None = None,
) -> TwoTower:
    """Train a model; the same arguments give the same bits in every process.

    Args:
        catalogue: users and items that the model gets vectors for.
        interactions: at least one row, all within the catalogue.
        model_config: section `model`.
        train_config: section `train`.
        seed: the seed of params.yaml.
        on_epoch: called after each epoch; may raise to stop training.
        decompositions: folder that caches decompositions; None: no cache.

    Raises:
        TrainingError: if the loss is not finite, the data is too small to be decomposed, or there
            are no epochs and the start is not a model by itself.
    """
    try:
        check_start(model_config, train_config)
    except ValueError as error:
        raise TrainingError(str(error)) from None
    use_threads(train_config.threads)
    device = resolve_device(train_config.device)
    num_users, num_items = len(catalogue.users), len(catalogue.items)
    inputs = StartInputs(
        interactions, num_users, num_items, model_config, seed, train_config.threads, decompositions
    )
    history = inputs.history if model_config.pools_history else None
    popularity = popularity_addend(interactions, num_items, model_config)
    model = TwoTower(catalogue, model_config, history, popularity)
    STARTS[model_config.init].function(model, inputs)
    model.to(device)
    rows = _TrainingRows(interactions, num_items, history, device)
    step = _Step(model, rows, model_config, train_config, derive_seed(seed, "negatives"))
    _train(step, seed, on_epoch)
    return model.eval()


def _train(step: "_Step", seed: int, on_epoch: OnEpoch | None) -> None:
    model, rows, config = step.model, step.rows, step.config
    shuffle = torch.Generator().manual_seed(derive_seed(seed, "shuffle"))
    optimizers, schedule = _optimizers(model, config.lr), SCHEDULES[config.schedule]
    batches = math.ceil(len(rows) / config.batch_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "dropout"))  # dropout takes no generator
        for epoch in range(1, min(config.epochs, config.last_epoch or config.epochs) + 1):
            model.train()
            total = 0.0
            for number, batch in enumerate(rows.batches(config.batch_size, shuffle)):
                progress = (epoch - 1 + number / batches) / config.epochs
                _set_lr(optimizers, config.lr * schedule.factor(progress))
                loss = step(batch)
                model.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                for optimizer in optimizers:
                    optimizer.step()
                total += loss.item() * len(batch)
            if not np.isfinite(total):
                msg = f"the loss is not finite in epoch {epoch} (lr {config.lr:g})"
                raise TrainingError(msg)
            if on_epoch is not None:
                on_epoch(epoch, total / len(rows), model.eval())


class _TrainingRows:
    """Interactions as tensors on the training device."""

    def __init__(
        self, interactions: Interactions, num_items: int, history: History | None, device: str
    ) -> None:
        self.user_idx = torch.from_numpy(interactions.user_idx).to(device)
        self.item_idx = torch.from_numpy(interactions.item_idx).to(device)
        self.pair_idx = (
            None if history is None else torch.from_numpy(history.pair_of_row).to(device)
        )
        self.weight = torch.from_numpy(interactions.weight).to(device)
        self.num_items = num_items
        counts = np.bincount(interactions.item_idx, minlength=num_items)
        self.frequency = torch.from_numpy(counts / len(interactions)).to(device)
        self.target = self.weight / self.weight.max().clamp(min=torch.finfo(torch.float32).tiny)

    def __len__(self) -> int:
        return len(self.user_idx)

    def pairs(self, batch: Tensor) -> Tensor | None:
        """[batch] position of each row's pair in the history; None without a history."""
        return None if self.pair_idx is None else self.pair_idx[batch]

    def batches(self, batch_size: int, shuffle: torch.Generator) -> Iterator[Tensor]:
        """Row numbers of each batch of one epoch, all rows once, in a new order."""
        order = torch.randperm(len(self), generator=shuffle)
        yield from torch.split(order.to(self.user_idx.device), batch_size)


@dataclass
class _Step:
    """Computes the loss of a batch, as sections `model` and `train` define it."""

    model: TwoTower
    rows: _TrainingRows
    model_config: ModelConfig
    config: TrainConfig
    seed: int

    def __post_init__(self) -> None:
        self._loss = LOSSES[self.config.loss]
        self._generator = torch.Generator().manual_seed(self.seed)
        cosine = self.model_config.similarity == "cosine"
        self._temperature = self.model_config.temperature if cosine else 1.0
        batch, extra = self.config.batch_size, self.config.uniform_negatives
        share = batch / (batch + extra)
        mixture = share * self.rows.frequency + (1 - share) / self.rows.num_items
        self._log_q = mixture.log().float()  # -inf for items that no batch can hold

    def __call__(self, batch: Tensor) -> Tensor:
        positive = self.rows.item_idx[batch]
        item_idx = torch.cat([positive, self._negatives(len(batch)).to(positive.device)])
        users, pairs = self.rows.user_idx[batch], self.rows.pairs(batch)
        query, candidate = self.model(users, item_idx, pairs)
        corrected = self.config.logq and self._loss.log_q
        inputs = Batch(
            query=self.model.finish(query),
            candidate=self.model.finish(candidate),
            item_idx=item_idx,
            weight=self.rows.weight[batch],
            target=self.rows.target[batch],
            temperature=self._temperature,
            log_q=self._log_q[item_idx] if corrected else None,
        )
        loss: Tensor = self._loss.function(inputs)
        if self.config.weight_decay:
            squared = query.square().sum() + candidate.square().sum()
            loss = loss + self.config.weight_decay * squared / (2 * len(batch))
        return loss

    def _negatives(self, rows: int) -> Tensor:
        """[extra] items that the loss needs besides those of the batch's rows."""
        match self._loss.negatives:
            case Negatives.CATALOGUE:
                return torch.arange(self.rows.num_items)
            case Negatives.NONE:
                count = 0
            case Negatives.ONE_PER_ROW:
                count = rows
            case Negatives.BATCH:
                count = self.config.uniform_negatives
        return torch.randint(self.rows.num_items, (count,), generator=self._generator)


def _optimizers(model: TwoTower, lr: float) -> list[torch.optim.Optimizer]:
    """Adam; for embeddings of ids its lazy form, which updates only the rows of the batch."""
    embeddings = (
        model.user_tower.id_embedding, model.item_tower.id_embedding, model.history_embedding
    )  # fmt: skip
    tables = [embedding.weight for embedding in embeddings if embedding is not None]
    others = [p for p in model.parameters() if not any(p is table for table in tables)]
    optimizers: list[torch.optim.Optimizer] = []
    if tables:
        optimizers.append(LazyAdam(tables, lr=lr))
    if others:
        optimizers.append(torch.optim.Adam(others, lr=lr))
    return optimizers


def _set_lr(optimizers: list[torch.optim.Optimizer], lr: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr
