"""What `model.init`, `train.loss` and `train.schedule` may name: each a row and its function."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from twotower.common.choices import Table, lazy


@dataclass(frozen=True)
class Start:
    """Where training starts.

    Attributes:
        name: in `model.init`.
        summary: one line for the docs.
        function: (TwoTower, StartInputs) -> None, sets the parameters of a new model in place.
        is_model: whether it recommends without any training (`train.epochs: 0`).
        needs_id_embeddings: whether it sets embeddings of ids: the item tower must have one, and no
            hidden layers.
        own_history_table: whether items enter histories with vectors of a separate table instead
            of those of the item tower.
        decomposes: whether it takes its dimensions from a decomposition of the interactions, as
            wide as `model.spectral_rank`.
        regresses: whether it fits its items by a regression, with `model.ridge_penalty`.
    """

    name: str
    summary: str
    function: Callable[..., None]
    is_model: bool = False
    needs_id_embeddings: bool = False
    own_history_table: bool = False
    decomposes: bool = False
    regresses: bool = False


STARTS = Table(
    "model.init",
    Start(
        "random",
        "random vectors",
        lazy("twotower.training.starts:random_start"),
    ),
    Start(
        "spectral",
        "a truncated singular value decomposition of the interactions (PureSVD)",
        lazy("twotower.training.starts:spectral_start"),
        is_model=True,
        needs_id_embeddings=True,
        decomposes=True,
    ),
    Start(
        "ridge",
        "the users of `spectral`, with item vectors fitted to them by ridge regression",
        lazy("twotower.training.starts:ridge_start"),
        is_model=True,
        needs_id_embeddings=True,
        own_history_table=True,
        decomposes=True,
        regresses=True,
    ),
)


class Negatives(Enum):
    """Items that a loss compares the positive of a row with; values are the docs' words."""

    NONE = "none"
    ONE_PER_ROW = "one random item"
    DRAWN = "`frequency_negatives` and `uniform_negatives`, shared by the rows of the batch"
    BATCH = "items of the other rows of the batch, and the drawn ones"
    CATALOGUE = "the whole catalogue"


@dataclass(frozen=True)
class Loss:
    """An objective of training.

    Attributes:
        name: in `train.loss`.
        summary: one line for the docs.
        function: (losses.Batch) -> Tensor, the scalar that is minimised.
        negatives: items that it needs besides the positives.
        log_q: whether `train.logq` corrects it for how often each candidate is sampled.
        temperature: whether it divides inner products by `model.temperature`.
    """

    name: str
    summary: str
    function: Callable[..., Any]
    negatives: Negatives
    log_q: bool = False
    temperature: bool = True


LOSSES = Table(
    "train.loss",
    Loss(
        "softmax",
        "cross-entropy of the positive among the candidates",
        lazy("twotower.training.losses:in_batch_softmax"),
        Negatives.BATCH,
        log_q=True,
    ),
    Loss(
        "sampled_softmax",
        "the same among randomly drawn candidates only",
        lazy("twotower.training.losses:sampled_softmax"),
        Negatives.DRAWN,
        log_q=True,
    ),
    Loss(
        "full_softmax",
        "the same over all items; slow for large catalogues",
        lazy("twotower.training.losses:full_softmax"),
        Negatives.CATALOGUE,
    ),
    Loss(
        "bilateral_softmax",
        "as `softmax`, without the positive in the denominator",
        lazy("twotower.training.losses:bilateral_softmax"),
        Negatives.BATCH,
        log_q=True,
    ),
    Loss(
        "bpr",
        "Bayesian personalised ranking: log-sigmoid of the positive's lead",
        lazy("twotower.training.losses:bayesian_personalised_ranking"),
        Negatives.ONE_PER_ROW,
    ),
    Loss(
        "mse",
        "squared error of the inner products of observed pairs; no temperature",
        lazy("twotower.training.losses:squared_error"),
        Negatives.NONE,
        temperature=False,
    ),
)


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes during training.

    Attributes:
        name: in `train.schedule`.
        summary: one line for the docs.
        factor: of `train.lr`, given the share of all training steps that are done, in [0, 1).
    """

    name: str
    summary: str
    factor: Callable[[float], float]


SCHEDULES = Table(
    "train.schedule",
    Schedule("constant", "`lr` throughout", lambda _: 1.0),
    Schedule("linear", "from `lr` to 0 in a straight line", lambda progress: 1.0 - progress),
    Schedule(  # Loshchilov and Hutter, ICLR 2017
        "cosine",
        "from `lr` to 0 along half a cosine wave",
        lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    ),
)
