"""Sample size of a paired comparison."""

import math
from statistics import NormalDist

import numpy as np

from twotower.common.arrays import Float64Array


def users_needed(
    differences: Float64Array, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Users that a one-sided paired test needs to detect a difference like the observed one.

    The observed mean and standard deviation are taken for the true ones, so the answer is rough:
    it tells a few more users from a thousand times as many.

    Args:
        differences: [n] in [-1, 1], one per user.
        alpha: level of the test.
        power: probability of detecting the difference.

    Returns:
        None if the mean is not above 0, or there is a single user.

    Source: the normal approximation, with one more user at -1 as in `bounded_means`: n · mean =
    (z(1 - alpha) + z(power)) · sd · √n + 1 + mean.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not values.mean() > 0:
        return None
    quantile = NormalDist().inv_cdf
    mean = float(values.mean())
    noise = (quantile(1 - alpha) + quantile(power)) * float(values.std(ddof=1))
    root = (noise + math.sqrt(noise**2 + 4 * mean * (1 + mean))) / (2 * mean)
    # With n users whose differences are all equal, the p-value is (1 + mean)**-n.
    return max(math.ceil(root**2), math.ceil(-math.log(alpha) / math.log1p(mean)))
