"""How many users a comparison needs."""

import math
from statistics import NormalDist

import numpy as np

from twotower.common.arrays import Float64Array


def users_needed(
    differences: Float64Array, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Users at which a one-sided paired test would find a difference like the observed one.

    It takes the observed mean and standard deviation for the true ones, so it is a rough answer
    to a rough question: is it a matter of some more users, or of a thousand times as many?

    Args:
        differences: [n] of one user each.
        alpha: level of the test.
        power: probability of finding the difference.

    Returns:
        None if there is nothing to find: the mean is not above 0, or there is a single user.

    Source: the normal approximation, n = ((z(1 - alpha) + z(power)) · sd / mean)².
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not values.mean() > 0:
        return None
    quantile = NormalDist().inv_cdf
    ratio = float(values.std(ddof=1) / values.mean())
    wanted = math.ceil(((quantile(1 - alpha) + quantile(power)) * ratio) ** 2)
    # However equal the differences are, n signs have 2**n combinations.
    return max(wanted, math.ceil(-math.log2(alpha)))
