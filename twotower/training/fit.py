"""The fit loop; knows nothing of searches or trials."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from twotower.common.errors import TrainingError
from twotower.common.progress import track
from twotower.common.seeds import derive_seed
from twotower.config.training import ModelConfig, TrainConfig, check_start
from twotower.config.training_choices import LOSSES, SCHEDULES, STARTS, Negatives
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue
from twotower.training.device import device_for, is_queued, use_threads
from twotower.training.examples import Examples, ExampleSource, Rows, SequenceWindows
from twotower.training.losses import Batch
from twotower.training.optimizer import Adam, LazyAdam, Optimizer
from twotower.training.popularity_term import popularity_addend
from twotower.training.recorded import Learn, Recorded
from twotower.training.sequences import Sequences
from twotower.training.starts import StartInputs
from twotower.training.towers import TwoTower

OnEpoch = Callable[[int, float, TwoTower], None]
"""Called after each epoch with its number, from 1, the mean loss of its rows, and the model."""
Begin = Callable[[TwoTower, StartInputs], None]
"""Sets the parameters of a new model in place, like the starts of `config.training_choices`."""


def fit(
    catalogue: Catalogue,
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
    decompositions: Path | None = None,
    begin: Begin | None = None,
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
        begin: sets the parameters in place of `model.init`; None: that start.

    Raises:
        TrainingError: if the loss is not finite, the data is too small to be decomposed, a sequence
            tower has no times to go by, or there are no epochs and the start is not a model by
            itself.
    """
    try:
        check_start(model_config, train_config)
    except ValueError as error:
        raise TrainingError(str(error)) from None
    use_threads(train_config.threads)
    num_users, num_items = len(catalogue.users), len(catalogue.items)
    work = step_work(model_config, train_config, len(interactions), num_items)
    device = device_for(train_config.device, work)
    sizes, threads = (num_users, num_items), train_config.threads
    inputs = StartInputs(interactions, *sizes, model_config, seed, threads, decompositions, device)
    history = inputs.history if model_config.pools_history else None
    popularity = popularity_addend(interactions, num_items, model_config)
    sequences = None
    if model_config.reads_sequence:
        if not interactions.has_times:
            msg = "model.user_tower: sequence needs events of different times, which the data lacks"
            raise TrainingError(msg)
        sequences = Sequences.of(interactions, num_users, num_items)
    model = TwoTower(catalogue, model_config, history, popularity, sequences)
    (begin or STARTS[model_config.init].function)(model, inputs)
    model.to(device)
    source: ExampleSource = (
        Rows(interactions, num_items, history, device)
        if sequences is None
        else SequenceWindows(sequences, num_items, model_config.sequence_length, device)
    )
    step = _Step(model, source, model_config, train_config, derive_seed(seed, "negatives"))
    return _train(step, seed, on_epoch).eval()


def _train(step: "_Step", seed: int, on_epoch: OnEpoch | None) -> TwoTower:
    """The model after its last epoch; an average over epochs with `ema_decay`."""
    model, source, config = step.model, step.source, step.config
    shuffle = torch.Generator().manual_seed(derive_seed(seed, "shuffle"))
    device = source.item_idx.device
    optimizers, schedule = _optimizers(model, config.lr), SCHEDULES[config.schedule]
    learn = _learner(step, optimizers)
    batches = source.num_batches(config.batch_size)
    trained, average = model, None
    if config.ema_decay:
        average = AveragedModel(model, avg_fn=partial(_moving_average, config.ema_decay))
        trained = cast(TwoTower, average.module)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "dropout"))  # dropout takes no generator
        last = min(config.epochs, config.last_epoch or config.epochs)
        for epoch in track(range(1, last + 1), "epoch"):
            model.train()
            total = torch.zeros((), dtype=torch.float64, device=device)
            for number, batch in enumerate(source.batches(config.batch_size, shuffle)):
                progress = (epoch - 1 + number / batches) / config.epochs
                _set_lr(optimizers, config.lr * schedule.factor(progress))
                loss = learn(batch, step.negatives(len(batch)))
                total += loss.double() * len(batch)
            if not torch.isfinite(total):
                msg = f"the loss is not finite in epoch {epoch} (lr {config.lr:g})"
                raise TrainingError(msg)
            if average is not None:
                average.update_parameters(model)
            if on_epoch is not None:
                on_epoch(epoch, total.item() / len(source.item_idx), trained.eval())
    return trained


def _learner(step: "_Step", optimizers: list[Optimizer]) -> Learn:
    """What takes a training step; on a GPU it is recorded, if its sizes are fixed."""

    def learn(examples: Examples, negatives: Tensor) -> Tensor:
        loss = step(examples, negatives)
        step.model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()
        return loss.detach()

    varies = (
        isinstance(step.source, SequenceWindows)
        or step.model.pools_history
        or any(isinstance(module, nn.EmbeddingBag) for module in step.model.modules())
    )
    return Recorded(learn) if is_queued(step.source.item_idx) and not varies else learn


def _moving_average(decay: float, average: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """A plain mean of the first epochs' weights, until each new one has a share of 1 - decay.

    Sources: Polyak and Juditsky, SIAM Journal on Control and Optimization 1992; over epochs:
    Izmailov et al., UAI 2018.
    """
    return average.lerp(new, max(1 - decay, 1 / (int(count) + 1)))


@dataclass
class _Step:
    """Computes the loss of a batch, as sections `model` and `train` define it."""

    model: TwoTower
    source: ExampleSource
    model_config: ModelConfig
    config: TrainConfig
    seed: int

    def __post_init__(self) -> None:
        self._loss = LOSSES[self.config.loss]
        self._generator = torch.Generator().manual_seed(self.seed)
        self._draws = self.config.uniform_negatives + self.config.frequency_negatives > 0
        cosine = self.model_config.similarity == "cosine"
        self._temperature = self.model_config.temperature if cosine else 1.0
        corrected = self.config.logq and self._loss.log_q
        self._log_q = self._log_probability() if corrected else None

    def _log_probability(self) -> Tensor:
        """[num_items] that a candidate is this item; -inf for items that no batch can hold."""
        source, config = self.source, self.config
        by_frequency: float = config.frequency_negatives
        if self._loss.negatives is Negatives.BATCH:
            by_frequency += source.batch_rows(config.batch_size)
        share = by_frequency / (by_frequency + config.uniform_negatives)
        mixture = share * source.frequency + (1 - share) / source.num_items
        return mixture.log().float()

    def __call__(self, examples: Examples, negatives: Tensor) -> Tensor:
        item_idx = torch.cat([examples.item_idx, negatives])
        query, candidate = examples.vectors(self.model, item_idx)
        inputs = Batch(
            query=self.model.finish(query),
            candidate=self.model.finish(candidate),
            item_idx=item_idx,
            weight=examples.weight,
            target=examples.target,
            temperature=self._temperature,
            log_q=None if self._log_q is None else self._log_q[item_idx],
        )
        loss: Tensor = self._loss.function(inputs)
        if self.config.weight_decay:
            squared = query.square().sum() + candidate.square().sum()
            loss = loss + self.config.weight_decay * squared / (2 * len(examples))
        return loss

    def negatives(self, rows: int) -> Tensor:
        """[extra] items that the loss needs besides those of the batch's rows, on the device."""
        device = self.source.item_idx.device
        match self._loss.negatives:
            case Negatives.CATALOGUE:
                return torch.arange(self.source.num_items, device=device)
            case Negatives.ONE_PER_ROW:
                return self._uniform(rows)
            case Negatives.BATCH | Negatives.DRAWN if self._draws:
                uniform = self._uniform(self.config.uniform_negatives)
                return torch.cat([uniform, self._by_frequency(self.config.frequency_negatives)])
        return torch.empty(0, dtype=torch.int64, device=device)

    def _uniform(self, count: int) -> Tensor:
        return self._random(self.source.num_items, count)

    def _by_frequency(self, count: int) -> Tensor:
        """Items of random examples."""
        return self.source.item_idx[self._random(len(self.source.item_idx), count)]

    def _random(self, below: int, count: int) -> Tensor:
        """Drawn on the CPU, so that a seed means the same on every device."""
        drawn = torch.randint(below, (count,), generator=self._generator)
        return drawn.to(self.source.item_idx.device, non_blocking=True)


def step_work(
    model_config: ModelConfig, train_config: TrainConfig, rows: int, num_items: int
) -> int:
    """Products of the scores of a training step: rows x candidates x dimensions.

    Without epochs, those of the decomposition with the matrix, each time: rows x dimensions.

    Args:
        model_config: section `model`.
        train_config: section `train`.
        rows: of the training data, which may be fewer than a batch has.
        num_items: size of the catalogue.
    """
    if not train_config.epochs:
        return rows * max(model_config.spectral_rank or 0, model_config.dim)
    batch = train_config.batch_size
    if model_config.reads_sequence:
        batch *= model_config.sequence_length
    batch = min(batch, rows)
    drawn = train_config.uniform_negatives + train_config.frequency_negatives
    candidates = {
        Negatives.BATCH: batch + drawn,
        Negatives.DRAWN: drawn + 1,
        Negatives.CATALOGUE: num_items,
        Negatives.ONE_PER_ROW: 2,
        Negatives.NONE: 1,
    }
    return batch * candidates[LOSSES[train_config.loss].negatives] * model_config.width


def _optimizers(model: TwoTower, lr: float) -> list[Optimizer]:
    """Adam; for embeddings of ids its lazy form, which updates only the rows of the batch.

    On a GPU the learning rate is there too, so that a recorded step sees its changes.
    """
    queued = is_queued(model.item_tower.get_buffer("origin"))
    rate = torch.tensor(lr, device=model.device) if queued else lr
    embeddings = (
        model.user_tower.id_embedding, model.item_tower.id_embedding, model.history_embedding
    )  # fmt: skip
    tables = [embedding.weight for embedding in embeddings if embedding is not None]
    others = [p for p in model.parameters() if not any(p is table for table in tables)]
    optimizers: list[Optimizer] = []
    if tables:
        optimizers.append(LazyAdam(tables, lr=rate))
    if others:
        optimizers.append(Adam(others, lr=rate))
    return optimizers


def _set_lr(optimizers: list[Optimizer], lr: float) -> None:
    for optimizer in optimizers:
        if isinstance(optimizer.lr, Tensor):
            optimizer.lr.fill_(lr)
        else:
            optimizer.lr = lr
