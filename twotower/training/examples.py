"""What a training step learns from: rows by themselves, or windows of users' sequences."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.interactions import Interactions
from twotower.training.history import History
from twotower.training.sequences import Sequences, Windows
from twotower.training.towers import TwoTower

GATHERED_ROWS = 2**17
"""Rows that are put in the order of an epoch at a time, rather than batch by batch."""


@dataclass(frozen=True)
class Examples(ABC):
    """Positives of a training step, and what their users' vectors are computed from.

    Attributes:
        item_idx: [rows] int64 the item of each.
        weight: [rows] float32 weight in the loss.
        target: [rows] float32 weight divided by the largest weight of the training rows.
    """

    item_idx: Tensor
    weight: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.item_idx)

    @abstractmethod
    def vectors(self, model: TwoTower, item_idx: Tensor) -> tuple[Tensor, Tensor]:
        """[rows, dim] vectors of the users and [candidates, dim] of the items, before `finish`.

        Args:
            model: that is trained.
            item_idx: [candidates] int64; `self.item_idx` comes first.
        """


@dataclass(frozen=True)
class RowExamples(Examples):
    """Rows by themselves.

    Attributes:
        user_idx: [rows] int64.
        pair_idx: [rows] int64 position of each row's pair in the history; None without one.
    """

    user_idx: Tensor
    pair_idx: Tensor | None

    def vectors(self, model: TwoTower, item_idx: Tensor) -> tuple[Tensor, Tensor]:
        """See `Examples.vectors`."""
        vectors: tuple[Tensor, Tensor] = model(self.user_idx, item_idx, self.pair_idx)
        return vectors


@dataclass(frozen=True)
class SequenceExamples(Examples):
    """The counted items of windows, each predicted from those before it.

    Attributes:
        user_idx: [windows] int64.
        inputs: [windows, longest] int64 items that come before; padded at the end.
        lengths: [windows] int64 number of inputs.
        counted: [windows, longest + 1] bool, `rows` of them true: which items of each window are
            examples.
    """

    user_idx: Tensor
    inputs: Tensor
    lengths: Tensor
    counted: Tensor

    def vectors(self, model: TwoTower, item_idx: Tensor) -> tuple[Tensor, Tensor]:
        """See `Examples.vectors`."""
        states, candidate = model.states(self.user_idx, self.inputs, self.lengths, item_idx)
        return states[self.counted], candidate


class ExampleSource(Protocol):
    """All examples of the training rows, on the training device.

    Attributes:
        num_items: size of the catalogue.
        item_idx: [num_examples] int64 items of all examples.
        frequency: [num_items] float64 share of the examples that each item has.
    """

    num_items: int
    item_idx: Tensor
    frequency: Tensor

    def num_batches(self, batch_size: int) -> int:
        """Steps of an epoch."""
        ...

    def batch_rows(self, batch_size: int) -> float:
        """Mean number of examples of a step."""
        ...

    def batches(self, batch_size: int, shuffle: torch.Generator) -> Iterator[Examples]:
        """The examples of one epoch, all once, in a new order."""
        ...


class Rows:
    """Every training row is an example."""

    def __init__(
        self, interactions: Interactions, num_items: int, history: History | None, device: str
    ) -> None:
        self.user_idx = torch.from_numpy(interactions.user_idx).to(device)
        self.item_idx = torch.from_numpy(interactions.item_idx).to(device)
        self.pair_idx = (
            None if history is None else torch.from_numpy(history.pair_of_row).to(device)
        )
        self.weight = torch.from_numpy(interactions.weight).to(device)
        self.target = _share_of_largest(self.weight)
        self.num_items = num_items
        self.frequency = _frequency(self.item_idx, num_items)

    def num_batches(self, batch_size: int) -> int:
        """Steps of an epoch."""
        return math.ceil(len(self.item_idx) / batch_size)

    def batch_rows(self, batch_size: int) -> float:
        """Examples of a step."""
        return batch_size

    def batches(self, batch_size: int, shuffle: torch.Generator) -> Iterator[RowExamples]:
        """Batches of `batch_size` rows."""
        order = torch.randperm(len(self.item_idx), generator=shuffle).to(self.item_idx.device)
        columns = [self.item_idx, self.weight, self.target, self.user_idx]
        if self.pair_idx is not None:
            columns.append(self.pair_idx)
        for rows in torch.split(order, batch_size * max(1, GATHERED_ROWS // batch_size)):
            gathered = [torch.split(column[rows], batch_size) for column in columns]
            for item_idx, weight, target, user_idx, *pairs in zip(*gathered, strict=True):
                yield RowExamples(item_idx, weight, target, user_idx, pairs[0] if pairs else None)


class SequenceWindows:
    """Every distinct item of a user is an example, predicted from the items before it."""

    def __init__(self, sequences: Sequences, num_items: int, length: int, device: str) -> None:
        windows = Windows.of(sequences.lists, length)

        def tensor(values: Int64Array | Float32Array) -> Tensor:
            return torch.from_numpy(values).to(device)

        self.item_idx = tensor(sequences.lists.items)
        self.weight = tensor(sequences.weight)
        self.target = _share_of_largest(self.weight)
        self.num_items = num_items
        self.frequency = _frequency(self.item_idx, num_items)
        self._user, self._start = tensor(windows.user), tensor(windows.start)
        self._counted, self._stop = tensor(windows.counted), tensor(windows.stop)
        self._sizes = windows.stop - windows.start

    def num_batches(self, batch_size: int) -> int:
        """Steps of an epoch."""
        return math.ceil(len(self._user) / batch_size)

    def batch_rows(self, batch_size: int) -> float:
        """Mean number of examples of a step."""
        return len(self.item_idx) / self.num_batches(batch_size)

    def batches(self, batch_size: int, shuffle: torch.Generator) -> Iterator[SequenceExamples]:
        """Batches of `batch_size` windows of like length, which need little padding."""
        order = torch.randperm(len(self._user), generator=shuffle).numpy()
        order = order[np.argsort(self._sizes[order], kind="stable")]
        parts = torch.split(torch.from_numpy(order), batch_size)
        for number in torch.randperm(len(parts), generator=shuffle).tolist():
            yield self._examples(parts[number].to(self.item_idx.device))

    def _examples(self, windows: Tensor) -> SequenceExamples:
        start, stop = self._start[windows].unsqueeze(1), self._stop[windows].unsqueeze(1)
        lengths = (stop - start).squeeze(1) - 1
        positions = start + torch.arange(int(lengths.max()) + 1, device=start.device)
        counted = (positions >= self._counted[windows].unsqueeze(1)) & (positions < stop)
        inputs = self.item_idx[torch.minimum(positions[:, :-1], stop - 1)]
        rows = positions[counted]
        columns = self.item_idx[rows], self.weight[rows], self.target[rows]
        return SequenceExamples(*columns, self._user[windows], inputs, lengths, counted)


def _frequency(item_idx: Tensor, num_items: int) -> Tensor:
    counts = np.bincount(item_idx.cpu().numpy(), minlength=num_items)
    return torch.from_numpy(counts / len(item_idx)).to(item_idx.device)


def _share_of_largest(weight: Tensor) -> Tensor:
    return weight / weight.max().clamp(min=torch.finfo(torch.float32).tiny)
