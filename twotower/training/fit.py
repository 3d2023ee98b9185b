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
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue
from twotower.training.device import resolve_device, use_threads
from twotower.training.history import History
from twotower.training.losses import (
    bayesian_personalised_ranking,
    full_softmax,
    sampled_softmax,
    squared_error,
)
from twotower.training.optimizer import LazyAdam
from twotower.training.popularity_term import popularity_addend
from twotower.training.ridge import ridge_items
from twotower.training.spectral import spectral_items
from twotower.training.towers import TwoTower, initialise, start_at

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
        on_epoch: sees the model after each epoch; may raise to stop.
        decompositions: folder that keeps spectral starts; None: they are computed again.

    Raises:
        TrainingError: if the loss is not finite, the data is too small or too large for what the
            sections ask for, or nothing is to be trained.
    """
    if train_config.epochs == 0 and model_config.init == "random":
        msg = "epochs: 0 leaves the model as it starts: it needs init: spectral or ridge"
        raise TrainingError(msg)
    use_threads(train_config.threads)
    device = resolve_device(train_config.device)
    num_users, num_items = len(catalogue.users), len(catalogue.items)
    history = _history(interactions, num_users, num_items, model_config)
    popularity = popularity_addend(interactions, num_items, model_config)
    model = TwoTower(catalogue, model_config, history, popularity)
    initialise(
        model,
        seen_users=_seen(interactions.user_idx, num_users),
        seen_items=_seen(interactions.item_idx, num_items),
        seed=derive_seed(seed, "initialise"),
    )
    if history is not None and model_config.init != "random":
        svd_seed, threads = derive_seed(seed, "spectral"), train_config.threads
        spectral = spectral_items(
            history, model_config, seed=svd_seed, threads=threads, folder=decompositions
        )
        items = spectral
        if model_config.init == "ridge":
            items = ridge_items(spectral, history, model_config, threads=threads)
        start_at(model, items, history, in_history=spectral)
    model.to(device)
    rows = _TrainingRows(interactions, num_items, history, device)
    step = _Step(model, rows, model_config, train_config, derive_seed(seed, "negatives"))
    _train(step, seed, on_epoch)
    return model.eval()


def _history(
    interactions: Interactions, num_users: int, num_items: int, config: ModelConfig
) -> History | None:
    """Of the training rows; None where neither the start nor a tower asks for it: it sorts them."""
    if config.init == "random" and config.user_tower == "id":
        return None
    return History.of(interactions, num_users, num_items, config)


def _train(step: "_Step", seed: int, on_epoch: OnEpoch | None) -> None:
    model, rows, config = step.model, step.rows, step.config
    shuffle = torch.Generator().manual_seed(derive_seed(seed, "shuffle"))
    optimizers = _optimizers(model, config.lr)
    batches = math.ceil(len(rows) / config.batch_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "dropout"))  # torch offers it no generator
        for epoch in range(1, min(config.epochs, config.last_epoch or config.epochs) + 1):
            model.train()
            total = 0.0
            for number, batch in enumerate(rows.batches(config.batch_size, shuffle)):
                progress = (epoch - 1 + number / batches) / config.epochs
                _set_lr(optimizers, config.lr * schedule_factor(config.schedule, progress))
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


def schedule_factor(schedule: str, progress: float) -> float:
    """Share of the learning rate.

    Args:
        schedule: constant, linear or cosine (Loshchilov and Hutter, ICLR 2017).
        progress: share of all training steps that are done, in [0, 1).
    """
    if schedule == "linear":
        return 1.0 - progress
    return 0.5 * (1.0 + math.cos(math.pi * progress)) if schedule == "cosine" else 1.0


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
        """[batch] place of each row's pair in the history; None without a history."""
        return None if self.pair_idx is None else self.pair_idx[batch]

    def batches(self, batch_size: int, shuffle: torch.Generator) -> Iterator[Tensor]:
        """Row numbers of each batch of one epoch, all rows once, in a new order."""
        order = torch.randperm(len(self), generator=shuffle)
        yield from torch.split(order.to(self.user_idx.device), batch_size)


@dataclass
class _Step:
    """The loss of a batch, as the sections `model` and `train` ask for it."""

    model: TwoTower
    rows: _TrainingRows
    model_config: ModelConfig
    config: TrainConfig
    seed: int

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(self.seed)
        cosine = self.model_config.similarity == "cosine"
        self._temperature = self.model_config.temperature if cosine else 1.0
        batch, extra = self.config.batch_size, self.config.uniform_negatives
        share = batch / (batch + extra)
        mixture = share * self.rows.frequency + (1 - share) / self.rows.num_items
        self._log_q = mixture.log().float()  # -inf for items that no batch can hold

    def __call__(self, batch: Tensor) -> Tensor:
        item_idx = self._candidates(self.rows.item_idx[batch])
        users, pairs = self.rows.user_idx[batch], self.rows.pairs(batch)
        query, candidate = self.model(users, item_idx, pairs)
        loss = self._loss(batch, item_idx, self.model.finish(query), self.model.finish(candidate))
        if self.config.weight_decay:
            squared = query.square().sum() + candidate.square().sum()
            loss = loss + self.config.weight_decay * squared / (2 * len(batch))
        return loss

    def _candidates(self, positive: Tensor) -> Tensor:
        """The items that the loss needs vectors of, the positives first."""
        num_items, device = self.rows.num_items, positive.device
        if self.config.loss == "full_softmax":
            return torch.cat([positive, torch.arange(num_items, device=device)])
        extra = {"mse": 0, "bpr": len(positive)}.get(
            self.config.loss, self.config.uniform_negatives
        )
        drawn = torch.randint(num_items, (extra,), generator=self._generator)
        return torch.cat([positive, drawn.to(device)])

    def _loss(self, batch: Tensor, item_idx: Tensor, query: Tensor, candidate: Tensor) -> Tensor:
        size, weight, temperature = len(batch), self.rows.weight[batch], self._temperature
        positive, rest = candidate[:size], candidate[size:]
        match self.config.loss:
            case "mse":
                return squared_error(query, positive, self.rows.target[batch])
            case "bpr":
                return bayesian_personalised_ranking(
                    query, positive, rest, temperature=temperature, weight=weight
                )
            case "full_softmax":
                return full_softmax(
                    query, rest, item_idx[:size], temperature=temperature, weight=weight
                )
        return sampled_softmax(
            query,
            candidate,
            item_idx,
            log_q=self._log_q[item_idx] if self.config.logq else None,
            temperature=temperature,
            weight=weight,
            positive_as_negative=self.config.loss == "softmax",
        )


def _optimizers(model: TwoTower, lr: float) -> list[torch.optim.Optimizer]:
    """Adam; for embeddings of ids the lazy one that touches only the rows of the batch."""
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


def _seen(idx: "np.ndarray[tuple[int], np.dtype[np.int64]]", count: int) -> Tensor:
    return torch.from_numpy(np.bincount(idx, minlength=count) > 0)
