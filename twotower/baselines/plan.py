"""How a baseline is fitted within a budget, and the sample of users that may choose its setting."""

from dataclasses import dataclass, field, replace

import numpy as np

from twotower.common.arrays import Int64Array
from twotower.common.seeds import derive_seed
from twotower.data.features import Features
from twotower.data.interactions import Interactions
from twotower.evaluation.holdout import EvaluationSet

SAMPLE_USERS = 5_000
"""Users on whom settings are compared where the validation split has more of them."""


@dataclass(frozen=True)
class TrainingData:
    """What a scorer is trained on, or scores other users by.

    Attributes:
        interactions: all within the catalogue.
        num_users: user indices are below it.
        num_items: size of the catalogue.
        item_features: side features of the items.
    """

    interactions: Interactions
    num_users: int
    num_items: int
    item_features: Features = field(default_factory=Features)

    def user_counts(self) -> Int64Array:
        """[num_users] training rows of each user."""
        return np.bincount(self.interactions.user_idx, minlength=self.num_users)

    def item_counts(self) -> Int64Array:
        """[num_items] training rows of each item."""
        return np.bincount(self.interactions.item_idx, minlength=self.num_items)


@dataclass(frozen=True)
class Plan:
    """How a baseline is fitted to certain data.

    Attributes:
        obstacle: why it is not; empty if it is.
        sample_users: users to whom it is fitted when settings are compared; None: all.
        notice: what it takes, where that is more than a few seconds; else empty.
    """

    obstacle: str = ""
    sample_users: int | None = None
    notice: str = ""


def sampled(
    train: TrainingData, validation: EvaluationSet, count: int, seed: int, *, are_new: bool = False
) -> tuple[TrainingData, EvaluationSet]:
    """The rows of some users alone, who are numbered anew; the catalogue of items stays.

    Args:
        train: rows of all users.
        validation: users of it are drawn first, and others if there are too few.
        count: users to draw.
        seed: of params.yaml.
        are_new: whether the users of `validation` are others than those of `train`; then `count` of
            each are drawn, and those of `validation` keep their numbers.
    """
    rng = np.random.default_rng(derive_seed(seed, "baselines", "sample"))
    first = rng.permutation(validation.users[: 0 if are_new else None])
    everyone = np.arange(train.num_users)
    others = rng.permutation(np.setdiff1d(everyone, first, assume_unique=True))
    drawn = np.sort(np.concatenate([first, others])[:count])
    number = np.full(train.num_users, -1)
    number[drawn] = np.arange(len(drawn))
    rows = train.interactions
    kept = number[rows.user_idx] >= 0
    fewer = Interactions(
        number[rows.user_idx[kept]], rows.item_idx[kept], rows.weight[kept], rows.timestamp[kept]
    )
    if are_new:
        places = np.sort(rng.permutation(len(validation))[:count])
    else:
        places = np.flatnonzero(number[validation.users] >= 0)
    users = validation.users[places]
    target = replace(
        validation,
        users=users if are_new else number[users],
        relevant=validation.relevant.select(places),
        num_relevant=validation.num_relevant[places],
        masked=validation.masked.select(places),
    )
    return replace(train, interactions=fewer, num_users=len(drawn)), target
