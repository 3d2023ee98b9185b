import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tests.search.studies import config, run
from twotower.search.proposals.cmaes import GENERATION, CmaEsSampler, _Axis


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
def test_values_are_coordinates(distribution: BaseDistribution, value: float, point: float) -> None:
    axis = _Axis.of(distribution)
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
def test_both_ends_lie_inside(distribution: BaseDistribution) -> None:
    axis = _Axis.of(distribution)
    assert axis.value(0.0) == pytest.approx(distribution.low)
    assert axis.value(1.0) == pytest.approx(distribution.high)
    assert all(distribution._contains(axis.value(step / 100)) for step in range(101))


def test_a_space_without_numbers_is_drawn_at_random() -> None:
    space = {"x": CategoricalDistribution((1, 2)), "y": IntDistribution(3, 3)}
    study = optuna.create_study(sampler=CmaEsSampler(0, space))
    for _ in range(3):
        study.tell(study.ask(space), 0.0)
    assert {trial.params["y"] for trial in study.trials} == {3}


def test_one_number_is_enough() -> None:
    space = {"lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True}}
    records = run(40, config("cmaes", search_space=space))
    late = [abs(r.params["lr"] - 0.01) for r in list(records.values())[-8:]]
    assert sum(late) / 8 < 0.008


def test_a_generation_ends_when_enough_of_its_trials_are_complete() -> None:
    # Three numbers: 4 + floor(3 ln 3) = 7 trials a generation; failed ones do not count.
    records = run(40, config("cmaes"))
    generations = [record.system_attrs.get(GENERATION) for record in records.values()]
    started = [number for number, generation in enumerate(generations) if generation is not None]
    assert started[0] == 4  # lookahead: when the first trial is known
    second = generations.index(1)
    told = [n for n in started if n <= second - 4 and records[n].state == "COMPLETE"]
    assert len(told) == 7
