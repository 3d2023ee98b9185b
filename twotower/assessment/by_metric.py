"""Every metric of the optimized model against the reference that is strongest by the objective."""

import numpy as np

from twotower.assessment.scoreboard import Scoreboard
from twotower.assessment.statistics.multiple import holm
from twotower.assessment.statistics.paired import paired_tests
from twotower.assessment.verdict import MODEL
from twotower.common.seeds import derive_seed


def by_metric(board: Scoreboard, seed: int) -> dict[str, dict[str, float]]:
    """Section `metrics` of metrics/slices.json.

    Returns:
        By metric: `difference` of the means, `p_value` of a two-sided paired test, and `p_holm`,
        the same adjusted over all metrics.
    """
    model, strongest = board.all_per_user()[MODEL], board.all_per_user()[board.strongest()]
    names = sorted(model)
    differences = np.stack([model[name] - strongest[name] for name in names], axis=1)
    found = paired_tests(differences, seed=derive_seed(seed, "metrics"), alternative="two-sided")
    p_values = dict(zip(names, found.tolist(), strict=True))
    adjusted = holm(p_values)
    means = dict(zip(names, differences.mean(axis=0).tolist(), strict=True))
    return {
        name: {"difference": means[name], "p_holm": adjusted[name], "p_value": p_values[name]}
        for name in names
    }
