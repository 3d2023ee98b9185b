"""How well a scorer ranks what is held out."""

from dataclasses import dataclass

import numpy as np

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.evaluation import metrics
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import Scorer, rank


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one scorer on one evaluation set.

    Attributes:
        per_user: metric name to [num_rows] values, in the order of the evaluation set.
        coverage: share of the catalogue that is in at least one user's top k, by metric name.
        top: [num_rows, k] int64 item indices, best first, for the largest k; -1 past the end of
            the candidates.
        hits: [num_rows, k] bool, whether the item is relevant.
    """

    per_user: dict[str, Float64Array]
    coverage: dict[str, float]
    top: Int64Array
    hits: BoolArray

    def summary(self) -> dict[str, float]:
        """The mean of each metric over the users, and the coverage."""
        means = {name: float(values.mean()) for name, values in self.per_user.items()}
        return means | self.coverage


def evaluate(scorer: Scorer, target: EvaluationSet, ks: tuple[int, ...]) -> Evaluation:
    """Rank the catalogue for every user of `target` and score the rankings.

    Args:
        scorer: a model or a baseline.
        target: at least one user.
        ks: cut-offs, ascending.

    Raises:
        TrainingError: if a score is not finite.
        ValueError: if `target` has no user.
    """
    if not len(target):
        msg = "cannot evaluate without a user who has a relevant item"
        raise ValueError(msg)
    length = min(ks[-1], target.num_items)
    hits = np.zeros((len(target), length), dtype=np.bool_)
    top = np.full((len(target), length), -1)
    first = np.zeros(len(target), dtype=np.int64)
    for block in rank(scorer, target, length):
        rows = slice(block.start, block.start + len(block.top))
        hits[rows], top[rows], first[rows] = block.hits, block.top, block.first_relevant
    per_user: dict[str, Float64Array] = {}
    for k in ks:
        per_user[f"recall_at_{k}"] = metrics.recall_at_k(hits[:, :k], target.num_relevant)
        per_user[f"ndcg_at_{k}"] = metrics.ndcg_at_k(hits[:, :k], target.num_relevant, k)
        per_user[f"hit_rate_at_{k}"] = metrics.hit_rate_at_k(hits[:, :k])
    per_user["mrr"] = metrics.reciprocal_rank(first)
    shown = {f"coverage_at_{k}": np.setdiff1d(top[:, :k], [-1]).size for k in ks}
    coverage = {name: n / target.num_items for name, n in shown.items()}
    return Evaluation(per_user, coverage, top, hits)
