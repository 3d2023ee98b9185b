"""Stateless CMA-ES: each proposal replays the generations of earlier trials.

Optuna's sampler stores its optimizer as a pickle in the attributes of trials. That pickle has
uninitialised memory, so that no two processes store the same bytes, and readers of a study would
unpickle what others have written.
"""

from collections.abc import Mapping
from typing import Any

import cmaes
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from twotower.common.arrays import Float64Array
from twotower.search.proposals.axis import Axis

GENERATION = "cma:generation"
"""Attribute of a trial that was drawn from the distribution of that generation, from 0."""


class CmaEsSampler(BaseSampler):
    """CMA-ES over the numeric parameters that every trial has; the others are drawn at random.

    A generation ends as soon as enough of its trials are complete; the first ones by number count.
    Failed and pruned trials have no value to rank them by, and do not count.
    """

    def __init__(self, seed: int, distributions: Mapping[str, BaseDistribution]) -> None:
        """Prepare one proposal.

        Args:
            seed: of this proposal.
            distributions: of the parameters that every trial has.
        """
        self._seed = seed
        self._others = RandomSampler(seed=seed)
        self._axes = {
            name: Axis.of(distribution)
            for name, distribution in sorted(distributions.items())
            if isinstance(distribution, FloatDistribution | IntDistribution)
            and not distribution.single()
        }
        self._space = {name: distributions[name] for name in self._axes}

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002 - Optuna's signature
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """The same for every trial, whatever the conditions of other parameters."""
        return self._space

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Draw from the current generation; at random before any trial is complete."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not search_space or not complete:
            return {}
        optimizer = self._replay(complete)
        study._storage.set_trial_system_attr(trial._trial_id, GENERATION, optimizer.generation)
        point = optimizer.ask()
        return {
            name: axis.value(float(x))
            for (name, axis), x in zip(self._axes.items(), point, strict=True)
        }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a parameter that is not numeric, or that not every trial has."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def _replay(self, complete: list[FrozenTrial]) -> cmaes.CMA:
        """The optimizer after all generations that are full."""
        count = len(self._axes)
        optimizer = cmaes.CMA(
            mean=np.full(count, 0.5),
            sigma=1 / 6,
            bounds=np.tile([0.0, 1.0], (count, 1)),
            n_max_resampling=10 * count,
            seed=self._seed,  # only `ask` draws
        )
        while True:
            members = [
                t for t in complete if t.system_attrs.get(GENERATION) == optimizer.generation
            ]
            if len(members) < optimizer.population_size:
                return optimizer
            optimizer.tell(
                [
                    (self._point(t), -float(t.value or 0.0))
                    for t in members[: optimizer.population_size]
                ]
            )

    def _point(self, trial: FrozenTrial) -> Float64Array:
        return np.array([axis.point(trial.params[name]) for name, axis in self._axes.items()])
