"""What can be said of values of which no more is known than that they are from 0 to 1."""

import numpy as np

from twotower.common.arrays import Float64Array


def bounded_p_value(values: Float64Array, expected: Float64Array) -> float:
    """Bound of the p-value that the mean of independent values is at most what is expected.

    It holds for any n and any distribution, also for one whose low values are too rare to have
    been seen. Where they have, it is larger than it need be.

    Args:
        values: [n] in [0, 1].
        expected: [n] of each, in [0, 1]; they may differ.

    Returns:
        1.0 if the mean is not above what is expected.

    Raises:
        ValueError: if there is no value.

    Source: Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 1963,
    theorem 1.
    """
    if not len(values):
        msg = "needs at least one value"
        raise ValueError(msg)
    mean, bound = float(np.mean(values)), float(np.mean(expected))
    if mean <= bound:
        return 1.0
    if bound <= 0:
        return 0.0
    missing = (1 - mean) * np.log((1 - mean) / (1 - bound)) if mean < 1 else 0.0
    return float(np.exp(-len(values) * (mean * np.log(mean / bound) + missing)))
