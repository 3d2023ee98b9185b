"""Training steps of a GPU: recorded once, then replayed without waiting for Python."""

from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor

from twotower.common.progress import say
from twotower.training.examples import Examples

Learn = Callable[[Examples, Tensor], Tensor]
"""Takes a step on examples, with [extra] further items, and returns the scalar loss."""
Record = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""Records a function, without running it, as one that does the same on the same memory."""

WARM_UP = 3
"""Steps before recording, in which libraries and optimizers allocate what they keep."""


def record_graph(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record a function as a CUDA graph; it may neither wait nor have sizes that vary.

    Raises:
        RuntimeError: if it does.
    """
    graph = torch.cuda.CUDAGraph()
    # The outer context goes back to this stream if recording fails, which the inner one does not.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
        result = run()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


class Recorded:
    """A step that is recorded for batches of the size of the first one; others run as they are."""

    def __init__(self, learn: Learn, record: Record = record_graph) -> None:
        self._learn, self._record = learn, record
        self._size: int | None = None
        self._steps = 0
        self._inputs: tuple[Examples, Tensor] | None = None
        self._replay: Callable[[], Tensor] | None = None

    def __call__(self, examples: Examples, negatives: Tensor) -> Tensor:
        """The loss, which the next call may overwrite."""
        self._size = self._size or len(examples)
        if len(examples) != self._size:
            return self._learn(examples, negatives)
        self._steps += 1
        if self._steps <= WARM_UP:
            return self._aside(examples, negatives)
        if self._steps == WARM_UP + 1:
            self._start(examples, negatives)
        if self._replay is None or self._inputs is None:
            return self._learn(examples, negatives)
        _copy(examples, self._inputs[0])
        self._inputs[1].copy_(negatives)
        return self._replay()

    def _aside(self, examples: Examples, negatives: Tensor) -> Tensor:
        """On a stream of its own, as the documentation of CUDA graphs wants it."""
        if not examples.item_idx.is_cuda:
            return self._learn(examples, negatives)
        here = torch.cuda.current_stream()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            loss = self._learn(examples, negatives)
        here.wait_stream(aside)
        return loss

    def _start(self, examples: Examples, negatives: Tensor) -> None:
        """Record the step, on memory of its own for the inputs."""
        inputs = _clone(examples), negatives.clone()
        try:
            self._replay = self._record(lambda: self._learn(*inputs))
        except RuntimeError as error:  # as fast as it can be without a graph, not an end
            reason = str(error).partition("\n")[0]
            say(f"note: training steps run one by one, without a CUDA graph ({reason})")
        else:
            self._inputs = inputs


def _clone(examples: Examples) -> Examples:
    columns = {field.name: getattr(examples, field.name) for field in fields(examples)}
    return replace(
        examples, **{name: column.clone() for name, column in columns.items() if column is not None}
    )


def _copy(source: Examples, target: Examples) -> None:
    for field in fields(source):
        column = getattr(source, field.name)
        if column is not None:
            getattr(target, field.name).copy_(column)
