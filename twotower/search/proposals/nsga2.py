"""Stateless NSGA-II: each proposal is a child of the best earlier trials.

Optuna's sampler breeds only the parameters that every trial has, and draws those with a condition
at random; it also waits for whole generations, of which a search of some dozen trials has few.

Sources: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm:
NSGA-II", IEEE Transactions on Evolutionary Computation, 2002; Durillo, Nebro, Luna and Alba, "On
the effect of the steady-state selection scheme in multi-objective genetic algorithms", EMO 2009.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.samplers.nsgaii import PolynomialMutation
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from twotower.search.front import best_first
from twotower.search.proposals.axis import Axis

CROSSOVER_RATE = 0.9
"""Probability that a child has two parents rather than one."""
MUTATION_ETA = 2.0
"""Distribution index of the mutation: a number moves by a quarter of its range on average."""


class Nsga2Sampler(BaseSampler):
    """NSGA-II in its steady state: a trial may be a parent as soon as it is complete.

    The parents are the best complete trials by rank, and within a rank those with the fewest
    neighbours. Until there are enough of them it draws at random. A child has each parameter from
    one of two parents, or from the one that has it, and one of its parameters mutates on average.
    """

    def __init__(
        self, seed: int, distributions: Mapping[str, BaseDistribution], population_size: int
    ) -> None:
        """Prepare one proposal.

        Args:
            seed: of this proposal.
            distributions: of all searched parameters.
            population_size: parents.
        """
        self._random = np.random.RandomState(seed)
        self._others = RandomSampler(seed=seed)
        self._mutation = PolynomialMutation(MUTATION_ETA)
        self._space = {
            name: distribution
            for name, distribution in sorted(distributions.items())
            if not distribution.single()
        }
        self._population_size = population_size

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002 - Optuna's signature
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """All parameters, those with conditions too: which of them a child has shows later."""
        return self._space

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002 - Optuna's signature
    ) -> dict[str, Any]:
        """Parameters of a child; none before there are enough complete trials."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < self._population_size:
            return {}
        parents = _best(complete, study.directions, self._population_size)
        first = second = self._tournament(parents)
        if self._random.random_sample() < CROSSOVER_RATE:
            second = self._tournament([parent for parent in parents if parent is not first])
        child = self._crossover(first.params, second.params)
        for name, value in child.items():
            if self._random.random_sample() < 1 / len(first.params):
                child[name] = self._mutated(name, value, study, trial)
        return child

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a parameter of a trial without parents, or one that neither parent has."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def _tournament(self, parents: Sequence[FrozenTrial]) -> FrozenTrial:
        """The better of two that are drawn at random; the parents are sorted, the best first."""
        return parents[int(self._random.randint(len(parents), size=2).min())]

    def _crossover(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        child = {}
        for name in self._space:
            values = [parent[name] for parent in (first, second) if name in parent]
            if values:
                child[name] = values[self._random.randint(len(values))]
        return child

    def _mutated(self, name: str, value: Any, study: optuna.Study, trial: FrozenTrial) -> Any:
        """A number nearby, or any of the choices."""
        distribution = self._space[name]
        if not isinstance(distribution, FloatDistribution | IntDistribution):
            return self.sample_independent(study, trial, name, distribution)
        axis = Axis.of(distribution)
        bounds = np.array([0.0, 1.0])
        return axis.value(self._mutation.mutation(axis.point(value), self._random, study, bounds))


def _best(
    trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection], count: int
) -> list[FrozenTrial]:
    """The best complete trials by rank, then by crowding distance, then by number."""
    signs = [1.0 if way == StudyDirection.MAXIMIZE else -1.0 for way in directions]
    gains = np.array([trial.values for trial in trials]) * signs
    return [trials[place] for place in best_first(gains)[:count]]
