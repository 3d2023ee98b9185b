import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from twotower.search.proposals.axis import Axis


@pytest.mark.parametrize(
    ("distribution", "value", "point"),
    [
        (FloatDistribution(2, 6), 3.0, 0.25),
        (FloatDistribution(1e-4, 1e-2, log=True), 1e-3, 0.5),
        (FloatDistribution(0, 1, step=0.25), 0.5, 0.5),
        (IntDistribution(1, 4), 1, 0.125),  # four values own a quarter each
        (IntDistribution(8, 64, step=8), 64, 15 / 16),
    ],
)
def test_values_are_coordinates(
    distribution: FloatDistribution | IntDistribution, value: float, point: float
) -> None:
    axis = Axis.of(distribution)
    assert axis.point(value) == pytest.approx(point)
    assert axis.value(point) == pytest.approx(value)
    assert type(axis.value(point)) is type(value)


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(0.05, 1, log=True),
        FloatDistribution(0.1, 0.7, step=0.2),
        IntDistribution(1, 1000, log=True),
        IntDistribution(3, 15),
    ],
)
def test_both_ends_lie_inside(distribution: FloatDistribution | IntDistribution) -> None:
    axis = Axis.of(distribution)
    assert axis.value(0.0) == pytest.approx(distribution.low)
    assert axis.value(1.0) == pytest.approx(distribution.high)
    assert all(distribution._contains(axis.value(step / 100)) for step in range(101))
