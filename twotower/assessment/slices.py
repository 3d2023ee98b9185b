"""metrics/slices.json: where the model is better, and what it recommends.

Slices are of users by activity, and of relevant items by popularity and by whether they have
training rows (warm or cold). Each compares the optimized model with the rival that is strongest
over all users, by a two-sided paired test; `p_holm` is adjusted over all slices (Holm). The metric
of a slice of items is the share of each user's relevant items in the slice that are in the top k.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from twotower.assessment.statistics.bounded_means import p_values
from twotower.assessment.statistics.multiple import holm
from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.scorers import MODEL, RANDOM
from twotower.common.seeds import derive_seed
from twotower.evaluation.exposure import mean_over_candidates
from twotower.evaluation.metrics import is_compared, metric_cutoff

if TYPE_CHECKING:
    from twotower.assessment.scoreboard import Scoreboard
    from twotower.evaluation.evaluate import Evaluation

ACTIVITY = ("light", "medium", "heavy")
POPULARITY = ("head", "middle", "tail")
COLD = len(POPULARITY)
LATER_SHARE = 0.1
"""Share of training rows later than the average test event above which a cutoff is advised."""


class _Slice(NamedTuple):
    """A group of users, or of relevant items.

    Attributes:
        values: by scorer, [num_users] metric of each user who has a value in the group.
        about: sizes of the group, as plain values.
        clusters: [num_users] the cluster of each of these users; None: each is alone.
    """

    values: dict[str, Float64Array]
    about: dict[str, Any]
    clusters: Int64Array | None


def slices(board: "Scoreboard", seed: int) -> dict[str, Any]:
    """The content of the file."""
    k = metric_cutoff(board.objective, board.ks)
    later = later_share(board)
    groups = {"user_activity": _by_activity(board), **_by_item(board, k)}
    return {
        **_compare(groups, board.strongest(), seed),
        "advice": advice(later, has_way_out=board.folded_in is None),
        "compared_with": board.strongest(),
        "item_metric": f"recall_at_{k}",
        "later_training_rows_share": later,
        "metrics": by_metric(board, seed),
        "num_users_cold": board.target.num_users_cold,
        "recommendations": popularity_bias(board, k),
        "scored": True,
        "user_metric": board.objective,
    }


def by_metric(board: "Scoreboard", seed: int) -> dict[str, dict[str, float]]:
    """Every metric of quality of the optimized model and the strongest rival, over all users.

    Returns:
        By metric: `difference` of the means, `p_value` of a two-sided paired test, and `p_holm`,
        the same adjusted over all metrics.
    """
    per_user = board.per_user()
    model, strongest = per_user[MODEL], per_user[board.strongest()]
    names = sorted(filter(is_compared, model))
    differences = np.stack([model[name] - strongest[name] for name in names], axis=1)
    tests = p_values(
        differences,
        seed=derive_seed(seed, "metrics"),
        alternative="two-sided",
        clusters=board.clusters,
    )
    found = dict(zip(names, tests.tolist(), strict=True))
    adjusted = holm(found)
    means = dict(zip(names, differences.mean(axis=0).tolist(), strict=True))
    return {
        name: {"difference": means[name], "p_holm": adjusted[name], "p_value": found[name]}
        for name in names
    }


def later_share(board: "Scoreboard") -> float | None:
    """Share of the training rows later than the average test event; None without times."""
    training, test = board.training.interactions, board.splits["test"]
    if not (training.has_times and len(test)):
        return None
    return float((training.timestamp > test.timestamp.mean()).mean())


def advice(later_share: float | None, *, has_way_out: bool = True) -> str | None:
    """What to do about training rows that are later than what is tested; None if they are few.

    Args:
        later_share: of the training rows.
        has_way_out: whether another split can tell the same; none can of users held out whole.
    """
    if later_share is None or later_share <= LATER_SHARE:
        return None
    note = (
        f"{later_share:.0%} of the training rows are later than the average test event: the model "
        "knows a future that it would not know in use"
    )
    return f"{note}; consider split.strategy: cutoff" if has_way_out else note


def popularity_bias(board: "Scoreboard", k: int) -> dict[str, Mapping[str, float]]:
    """How popular, and how varied, the top k of every scorer are.

    Returns:
        By scorer: `coverage_at_k`; `mean_popularity_rank` of the recommended items, 1 being the
        item with the most training rows; `top_tenth_share`, the share of them that is among the
        most popular tenth of the catalogue. For random these are expectations.
    """
    counts = board.training.item_counts()
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    popular = ranks <= max(1, len(counts) // 10)
    coverage = f"coverage_at_{k}"
    report: dict[str, Mapping[str, float]] = {}
    for name, evaluation in board.evaluations.items():
        shown = evaluation.rankings.top[:, :k]
        shown = shown[shown >= 0]
        if not shown.size:  # all items are masked for all users
            continue
        report[name] = {
            coverage: evaluation.overall[coverage],
            "mean_popularity_rank": float(ranks[shown].mean()),
            "top_tenth_share": float(popular[shown].mean()),
        }
    report[RANDOM] = {
        coverage: board.random.overall[coverage],
        "mean_popularity_rank": float(mean_over_candidates(board.target, ranks).mean()),
        "top_tenth_share": float(mean_over_candidates(board.target, popular).mean()),
    }
    return report


def item_groups(counts: Int64Array) -> Int64Array:
    """[num_items] index into POPULARITY, or COLD for items without rows.

    The head is the most popular items with a third of all rows, the middle those with the next.

    Args:
        counts: [num_items] training rows.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = np.minimum(3 * before // max(1, int(counts.sum())), COLD - 1)
    groups[counts == 0] = COLD
    return groups


def _compare(
    sections: Mapping[str, Mapping[str, _Slice]], strongest: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Means and p-values of every slice, by section and name."""
    found = {
        (section, name): float(
            p_values(
                (group.values[MODEL] - group.values[strongest])[:, None],
                seed=derive_seed(seed, "slices", section, name),
                alternative="two-sided",
                clusters=group.clusters,
            )[0]
        )
        for section, groups in sections.items()
        for name, group in groups.items()
    }
    adjusted = holm({f"{section}.{name}": p for (section, name), p in found.items()})
    report: dict[str, dict[str, Any]] = {section: {} for section in sections}
    for (section, name), p_value in found.items():
        group = sections[section][name]
        means = {scorer: float(values.mean()) for scorer, values in group.values.items()}
        report[section][name] = {
            **group.about,
            "difference": means[MODEL] - means[strongest],
            "means": means,
            "num_users": len(group.values[MODEL]),
            "p_holm": adjusted[f"{section}.{name}"],
            "p_value": p_value,
        }
    return report


def _by_activity(board: "Scoreboard") -> dict[str, _Slice]:
    """Thirds of the users by the rows they are known by; equally active ones stay together."""
    counts = board.known.user_counts()[board.target.users]
    ends = np.quantile(counts, [1 / 3, 2 / 3], method="inverted_cdf")
    third = np.searchsorted(ends, counts)
    values = board.objective_per_user()
    groups = {}
    for number, name in enumerate(ACTIVITY):
        inside = third == number
        if inside.any():
            span = [int(counts[inside].min()), int(counts[inside].max())]
            selected = {scorer: per_user[inside] for scorer, per_user in values.items()}
            groups[name] = _Slice(selected, {"training_rows": span}, _some(board.clusters, inside))
    return groups


def _by_item(board: "Scoreboard", k: int) -> dict[str, dict[str, _Slice]]:
    """Slices of the relevant items, by popularity and by warmth."""
    groups = item_groups(board.training.item_counts())
    sizes = np.bincount(groups, minlength=COLD + 1)
    relevant = _relevant_by_group(board, groups)
    hits = {name: _hits_by_group(e, groups, k) for name, e in board.evaluations.items()}
    hits[RANDOM] = _random_hits_by_group(board, groups, k)
    parts = {
        "item_popularity": {name: [number] for number, name in enumerate(POPULARITY)},
        "warmth": {"warm": list(range(COLD)), "cold": [COLD]},
    }
    report: dict[str, dict[str, _Slice]] = {section: {} for section in parts}
    for section, name, numbers in ((s, n, part[n]) for s, part in parts.items() for n in part):
        total = relevant[:, numbers].sum(axis=1)
        users = total > 0
        if users.any():
            recall = {
                scorer: counts[users][:, numbers].sum(axis=1) / total[users]
                for scorer, counts in hits.items()
            }
            about = {"num_items": int(sizes[numbers].sum()), "num_relevant": int(total.sum())}
            report[section][name] = _Slice(recall, about, _some(board.clusters, users))
    return report


def _some(clusters: Int64Array | None, users: BoolArray) -> Int64Array | None:
    return None if clusters is None else clusters[users]


def _relevant_by_group(board: "Scoreboard", groups: Int64Array) -> Int64Array:
    """[num_users, 4] relevant items of each group; those outside the catalogue are cold."""
    target = board.target
    relevant = _count(*target.relevant.rows(0, len(target)), groups, len(target))
    relevant[:, COLD] += target.num_relevant - target.relevant.counts
    return relevant


def _hits_by_group(evaluation: "Evaluation", groups: Int64Array, k: int) -> Float64Array:
    """[num_users, 4] relevant items of each group in the top k."""
    hits = evaluation.rankings.hits[:, :k]
    users, ranks = np.nonzero(hits)
    items = evaluation.rankings.top[users, ranks]
    return _count(users, items, groups, len(hits)).astype(np.float64)


def _random_hits_by_group(board: "Scoreboard", groups: Int64Array, k: int) -> Float64Array:
    """[num_users, 4] the same, expected of a random ranking."""
    target = board.target
    rankable = _count(*target.relevant.rows(0, len(target)), groups, len(target))
    shown = np.minimum(k, target.num_candidates) / np.maximum(target.num_candidates, 1)
    expected: Float64Array = rankable * shown[:, None]
    return expected


def _count(users: Int64Array, items: Int64Array, groups: Int64Array, num_users: int) -> Int64Array:
    """[num_users, 4] pairs of a user and an item of each group."""
    size = COLD + 1
    counts = np.bincount(users * size + groups[items], minlength=num_users * size)
    return counts.reshape(num_users, size)
