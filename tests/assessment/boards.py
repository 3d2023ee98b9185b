"""Small scoreboards whose every number can be worked out by hand."""

import numpy as np
import torch

from twotower.assessment.scoreboard import Scoreboard
from twotower.baselines.plan import TrainingData
from twotower.data.interactions import Interactions, ItemLists
from twotower.evaluation.holdout import EvaluationSet

KS = (1, 2)


class Fixed:
    """Scores that are given."""

    def __init__(self, scores: list[list[float]]) -> None:
        self._scores = torch.tensor(scores, dtype=torch.float32)

    def scores(self, user_idx: np.ndarray) -> torch.Tensor:
        return self._scores[torch.from_numpy(user_idx)].clone()


def interactions(pairs: list[tuple[int, int]], days: list[float] | None = None) -> Interactions:
    users, items = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    seconds = np.zeros(len(pairs)) if days is None else np.array(days) * 86_400 + 1_700_000_000
    return Interactions(users, items, np.ones(len(pairs), np.float32), seconds.astype(np.int64))


def lists(*rows: list[int]) -> ItemLists:
    offsets = np.cumsum([0, *map(len, rows)])
    return ItemLists(
        offsets, np.array([item for row in rows for item in sorted(row)], dtype=np.int64)
    )


def target(
    relevant: ItemLists, masked: ItemLists, num_items: int, absent: list[int] | None = None
) -> EvaluationSet:
    """Users 0, 1, …; `absent`: relevant items of each that the catalogue lacks."""
    users = np.arange(len(relevant.counts))
    more = np.zeros(len(users), np.int64) if absent is None else np.array(absent)
    nothing = np.zeros(num_items)
    return EvaluationSet(users, relevant, relevant.counts + more, masked, num_items, 0, 0, nothing)


def board(
    users: EvaluationSet,
    rows: Interactions,
    objective: str,
    splits: dict[str, Interactions] | None = None,
    **scores: list[list[float]],
) -> Scoreboard:
    """Scorers by name with their scores, [num_users, num_items], trained on `rows`."""
    nothing = interactions([])
    parts = {"train": nothing, "validation": nothing, "test": nothing} | (splits or {})
    training = TrainingData(rows, len(users), users.num_items)
    made = Scoreboard(training, parts, users, objective, KS)
    for name, values in scores.items():
        made.evaluations[name] = made.evaluate(Fixed(values))
    made.seeds.append(made.evaluations["optimized"])
    return made
