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
        differences: [n], one per user.
        alpha: level of the test.
        power: probability of detecting the difference.

    Returns:
        None if the mean is not above 0, or there is a single user.

    Source: the normal approximation, n = ((z(1 - alpha) + z(power)) · sd / mean)².
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not values.mean() > 0:
        return None
    quantile = NormalDist().inv_cdf
    ratio = float(values.std(ddof=1) / values.mean())
    normal = math.ceil(((quantile(1 - alpha) + quantile(power)) * ratio) ** 2)
    # n signs have only 2**n combinations, however small the spread.
    return max(normal, math.ceil(-math.log2(alpha)))
