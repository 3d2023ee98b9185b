"""metrics/item_groups.json: the model and its baselines on warm and on cold items alone."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from twotower.assessment.comparison import ALPHA
from twotower.assessment.intervals import LEVEL, intervals
from twotower.assessment.verdict import verdict
from twotower.common.scorers import MODEL, RANDOM

if TYPE_CHECKING:
    from twotower.assessment.scoreboard import Scoreboard

NO_GROUPS: dict[str, Any] = {
    "reason": "no cold items are to be found (split.cold_items holds some out), or nothing asks "
    "for them",
    "scored": False,
}


def item_groups(board: "Scoreboard", seed: int) -> dict[str, Any]:
    """The content of the file; it says why where no cold items are told apart.

    Args:
        board: with its `groups`.
        seed: of params.yaml.
    """
    if not board.groups:
        return NO_GROUPS
    return {
        "alpha": ALPHA,
        "groups": {name: _group(part, seed) for name, part in board.groups.items()},
        "level": LEVEL,
        "metric": board.objective,
        "scored": True,
    }


def _group(board: "Scoreboard", seed: int) -> dict[str, Any]:
    """Means, intervals and comparisons of one group, as the whole board has them."""
    values = board.objective_per_user()
    conclusion = verdict(
        {name: values[name] for name in (MODEL, *board.rivals())},
        seed=seed,
        over_seeds=board.mean_over_seeds(),
        clusters=board.clusters,
    )
    ends = intervals(board, seed)["intervals"]
    return {
        "best_baseline": board.strongest(),
        "comparisons": {name: asdict(one) for name, one in conclusion.comparisons.items()},
        "evaluated": board.target.counts(),
        "intervals": {name: by_metric[board.objective] for name, by_metric in ends.items()},
        "metrics": {name: one.summary() for name, one in board.evaluations.items()}
        | {RANDOM: board.random.summary()},
        "sentence": conclusion.sentence,
    }


def summary_of_groups(content: Mapping[str, Any]) -> Iterator[str]:
    """A line for warm and one for cold items; none where they are not told apart."""
    if not content["scored"]:
        return
    metric = content["metric"]
    for name, group in content["groups"].items():
        best, means = group["best_baseline"], group["metrics"]
        users, items = (group["evaluated"][key] for key in ("num_users", "num_items"))
        yield (
            f"{name} items: {MODEL} {means[MODEL][metric]:.4f}, best baseline {best} "
            f"{means[best][metric]:.4f}, random {means[RANDOM][metric]:.4f} "
            f"({users:,} users, {items:,} items)"
        )
