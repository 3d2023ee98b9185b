import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution

from tests.search.studies import config, run
from twotower.search.proposals.cmaes import GENERATION, CmaEsSampler


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
