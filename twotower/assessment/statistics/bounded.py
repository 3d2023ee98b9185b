"""A test that assumes nothing of values but that they are in [0, 1]."""

import numpy as np

from twotower.common.arrays import Float64Array


def bounded_p_value(values: Float64Array, expected: Float64Array) -> float:
    """Upper bound of the p-value of "the mean of independent values is at most the expected one".

    It holds for any n and any distribution, even one whose low values are too rare to be in the
    sample. Otherwise it is conservative.

    Args:
        values: [n] in [0, 1].
        expected: [n] expectation of each value, in [0, 1].

    Returns:
        1.0 if the mean is not above that of the expectations.

    Raises:
        ValueError: if there are no values.

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
