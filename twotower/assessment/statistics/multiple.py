"""Correction of p-values for multiple testing."""

from collections.abc import Mapping


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted so that the family-wise error rate is controlled.

    Args:
        p_values: by name, in [0, 1].

    Returns:
        By name, in the order of the argument; none is smaller than the original.

    Raises:
        ValueError: if a value is not in [0, 1].

    Source: Holm, Scandinavian Journal of Statistics 1979.
    """
    for name, value in p_values.items():
        if not 0 <= value <= 1:
            msg = f"{name}: not a p-value: {value}"
            raise ValueError(msg)
    adjusted: dict[str, float] = {}
    largest = 0.0
    for step, (name, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, (len(p_values) - step) * value)
        adjusted[name] = min(1.0, largest)
    return {name: adjusted[name] for name in p_values}
