"""How well a scorer ranks what is held out."""

from dataclasses import dataclass

from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import MetricValues, Rankings, measure
from twotower.evaluation.ranking import Scorer, rank


@dataclass(frozen=True)
class Evaluation(MetricValues):
    """Metrics of one scorer on one evaluation set, beside the rankings that they measure.

    Attributes:
        rankings: of the largest k items, in the order of the evaluation set.
    """

    rankings: Rankings


def evaluate(
    scorer: Scorer, target: EvaluationSet, ks: tuple[int, ...], threads: int = 1
) -> Evaluation:
    """Rank the catalogue for every user of `target` and measure the rankings.

    Args:
        scorer: a model or a baseline.
        target: at least one user.
        ks: cut-offs, ascending.
        threads: see `rank`.

    Raises:
        TrainingError: if a score is not finite.
        ValueError: if `target` has no user.
    """
    if not len(target):
        msg = "cannot evaluate without a user who has a relevant item"
        raise ValueError(msg)
    rankings = rank(scorer, target, min(ks[-1], target.num_items), threads)
    values = measure(rankings, target, ks)
    return Evaluation(values.per_user, values.overall, rankings)
