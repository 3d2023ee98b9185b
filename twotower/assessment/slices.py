"""For whom and for what the model is better: users by activity, items by popularity, cold ones.

Every slice compares the optimized model with the reference that is strongest over all users, by a
two-sided paired test; `p_holm` holds for all slices together (Holm). A slice of items counts, for
each user, the share of the relevant items of that slice that is among the top k.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.assessment.encoded_splits import EncodedSplits
from twotower.assessment.scoreboard import RANDOM, Scoreboard
from twotower.assessment.statistics.multiple import holm
from twotower.assessment.statistics.paired import paired_test
from twotower.assessment.verdict import MODEL
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.seeds import derive_seed
from twotower.evaluation.evaluate import Evaluation
from twotower.evaluation.metrics import metric_cutoff

ACTIVITY = ("light", "medium", "heavy")
POPULARITY = ("head", "middle", "tail")
COLD = len(POPULARITY)


@dataclass(frozen=True)
class Slice:
    """One group of users, or of relevant items.

    Attributes:
        values: by scorer, [num_users] of each user who has a value in it.
        about: what the group is, as plain values.
    """

    values: dict[str, Float64Array]
    about: dict[str, Any]


def slices(board: Scoreboard, rows: EncodedSplits, seed: int) -> dict[str, Any]:
    """Sections `user_activity`, `item_popularity` and `warmth` of metrics/slices.json."""
    k = metric_cutoff(board.task.objective, board.task.ks)
    found: dict[str, dict[str, Slice]] = {
        "user_activity": _by_activity(board, rows),
        **_by_item(board, rows, k),
    }
    strongest = board.strongest()
    names = [(section, name) for section, groups in found.items() for name in groups]
    p_values = {
        f"{section}.{name}": paired_test(
            found[section][name].values[MODEL] - found[section][name].values[strongest],
            seed=derive_seed(seed, "slices", section, name),
            alternative="two-sided",
        )
        for section, name in names
    }
    adjusted = holm(p_values)
    report: dict[str, Any] = {section: {} for section in found}
    for section, name in names:
        key = f"{section}.{name}"
        report[section][name] = _describe(found[section][name], strongest) | {
            "p_holm": adjusted[key],
            "p_value": p_values[key],
        }
    metrics = {"item_metric": f"recall_at_{k}", "user_metric": board.task.objective}
    return {**report, **metrics, "compared_with": strongest}


def _describe(group: Slice, strongest: str) -> dict[str, Any]:
    means = {name: float(values.mean()) for name, values in group.values.items()}
    return {
        **group.about,
        "difference": means[MODEL] - means[strongest],
        "means": means,
        "num_users": len(group.values[MODEL]),
    }


def _by_activity(board: Scoreboard, rows: EncodedSplits) -> dict[str, Slice]:
    """Thirds of the users by their training rows; equally active ones stay together."""
    counts = rows.user_counts()[board.task.target.users]
    ends = np.quantile(counts, [1 / 3, 2 / 3], method="inverted_cdf")
    third = np.searchsorted(ends, counts)
    values = board.per_user(board.task.objective)
    groups = {}
    for number, name in enumerate(ACTIVITY):
        inside = third == number
        if inside.any():
            span = [int(counts[inside].min()), int(counts[inside].max())]
            chosen = {scorer: found[inside] for scorer, found in values.items()}
            groups[name] = Slice(chosen, {"training_rows": span})
    return groups


def item_groups(counts: Int64Array) -> Int64Array:
    """[num_items] place in POPULARITY: most popular items with a third of all rows, and so on.

    Items without rows are COLD.

    Args:
        counts: [num_items] training rows.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = np.minimum(3 * before // max(1, int(counts.sum())), COLD - 1)
    groups[counts == 0] = COLD
    return groups


def _by_item(board: Scoreboard, rows: EncodedSplits, k: int) -> dict[str, dict[str, Slice]]:
    """Slices of the relevant items, in two ways."""
    groups = item_groups(rows.item_counts())
    wanted = _wanted(board, groups)
    hits = {name: _hits(found, groups, k) for name, found in board.evaluations.items()}
    hits[RANDOM] = _random_hits(board, wanted, groups, k)
    sizes = np.bincount(groups, minlength=COLD + 1)
    ways = {
        "item_popularity": {name: [number] for number, name in enumerate(POPULARITY)},
        "warmth": {"warm": list(range(COLD)), "cold": [COLD]},
    }
    report: dict[str, dict[str, Slice]] = {}
    for way, parts in ways.items():
        report[way] = {}
        for name, numbers in parts.items():
            total = wanted[:, numbers].sum(axis=1)
            users = total > 0
            if users.any():
                values = {
                    scorer: found[users][:, numbers].sum(axis=1) / total[users]
                    for scorer, found in hits.items()
                }
                about = {
                    "num_items": int(sizes[numbers].sum()),
                    "num_relevant": int(total.sum()),
                }
                report[way][name] = Slice(values, about)
    return report


def _wanted(board: Scoreboard, groups: Int64Array) -> Int64Array:
    """[num_users, 4] relevant items of each group; those that the catalogue lacks are cold."""
    target = board.task.target
    wanted = _count(*target.relevant.rows(0, len(target)), groups, len(target))
    wanted[:, COLD] += target.num_relevant - target.relevant.counts
    return wanted


def _hits(evaluation: Evaluation, groups: Int64Array, k: int) -> Float64Array:
    """[num_users, 4] relevant items of each group among the top k."""
    users, ranks = np.nonzero(evaluation.rankings.hits[:, :k])
    found = _count(
        users, evaluation.rankings.top[users, ranks], groups, len(evaluation.rankings.hits)
    )
    return found.astype(np.float64)


def _random_hits(board: Scoreboard, wanted: Int64Array, groups: Int64Array, k: int) -> Float64Array:
    """[num_users, 4] the same, expected of a random ranking."""
    target = board.task.target
    rankable = _count(*target.relevant.rows(0, len(target)), groups, len(target))
    shown = np.minimum(k, target.num_candidates) / np.maximum(target.num_candidates, 1)
    expected: Float64Array = np.minimum(rankable, wanted) * shown[:, None]
    return expected


def _count(users: Int64Array, items: Int64Array, groups: Int64Array, num_users: int) -> Int64Array:
    size = COLD + 1
    counts = np.bincount(users * size + groups[items], minlength=num_users * size)
    return counts.reshape(num_users, size)


def popularity_bias(board: Scoreboard, rows: EncodedSplits) -> dict[str, Mapping[str, float]]:
    """How popular, and how varied, the top k of every scorer are.

    Returns:
        By scorer: `coverage_at_k`, the share of the catalogue that somebody is shown;
        `mean_popularity_rank` of what is shown, from 1, the item with the most training rows;
        `top_tenth_share`, of what is shown, that is among the most popular tenth of the items.
        For random it is what is to be expected.
    """
    k = metric_cutoff(board.task.objective, board.task.ks)
    counts = rows.item_counts()
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    popular = ranks <= max(1, len(counts) // 10)
    report: dict[str, Mapping[str, float]] = {}
    for name, found in board.evaluations.items():
        shown = found.rankings.top[:, :k]
        shown = shown[shown >= 0]
        if not shown.size:  # everybody has seen everything
            continue
        report[name] = {
            f"coverage_at_{k}": found.overall[f"coverage_at_{k}"],
            "mean_popularity_rank": float(ranks[shown].mean()),
            "top_tenth_share": float(popular[shown].mean()),
        }
    target = board.task.target
    users, masked = target.masked.rows(0, len(target))
    report[RANDOM] = {
        f"coverage_at_{k}": board.random.overall[f"coverage_at_{k}"],
        "mean_popularity_rank": _expected(ranks, users, masked, target.num_candidates),
        "top_tenth_share": _expected(popular, users, masked, target.num_candidates),
    }
    return report


def _expected(
    values: NDArray[Any], users: Int64Array, masked: Int64Array, num_candidates: Int64Array
) -> float:
    """Mean over users of the mean over the items that are not masked."""
    hidden = np.bincount(users, values[masked], minlength=len(num_candidates))
    return float(((values.sum() - hidden) / np.maximum(num_candidates, 1)).mean())
