"""The results of a search, read back as an in-memory Optuna study."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from twotower.common.errors import DataError
from twotower.config.ranges import ParameterSpace
from twotower.evaluation.metrics import Direction
from twotower.plots.front import Front, front_beside, front_of_objectives
from twotower.plots.importance import Importance, weigh
from twotower.plots.results import RENEW, WORDED, FreshSeeds, Numbered, Results, read_results
from twotower.search.trial import distributions


@dataclass(frozen=True)
class DrawnSearch:
    """A finished or interrupted search, ready to be drawn."""

    study: optuna.Study
    objective: str
    """Metric key, e.g. recall_at_10."""
    split: str
    """Split that the objective was measured on."""
    num_users: int | None
    """Number of users behind each value of the objective."""
    random: float | None
    """Expected objective of a random ranking under the same masks."""
    best: FrozenTrial | None
    """The trial that was refitted: of the highest value, or the one that fresh seeds chose."""
    confirmed: FreshSeeds | None
    """The results of `best` on fresh seeds; None if they did not choose it."""
    defaults: FrozenTrial | None
    """Trial 0, if it was the configured defaults and completed."""
    finished: bool
    """False if the search stopped before the configured number of trials."""
    space: dict[str, ParameterSpace]
    """What was searched, by parameter."""
    advice: list[str]
    """What the search advises to try next: ranges whose end won, and presets."""
    share: float = 1.0
    """Of the users that all trials were trained on; the best went on to more."""
    best_on_more: float | None = None
    """Objective of `best` on more users than those; None: it was not run there."""
    front: Front | None = None
    """The trials by several metrics; None: they have one only."""

    @property
    def has_several(self) -> bool:
        """Whether the search had several objectives."""
        return self.front is not None and self.front.choice is not None

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Which way each objective gets better; the first one first."""
        if self.front is not None and self.has_several:
            return self.front.directions
        return {self.objective: "maximize"}

    def values_of(self, trial: FrozenTrial) -> dict[str, float]:
        """Every objective of a completed trial, as the search had it."""
        if self.front is not None and self.has_several:
            return dict(zip(self.front.directions, self.front.values[trial.number], strict=True))
        return {self.objective: float(trial.value or 0.0)}

    @cached_property
    def by_objective(self) -> dict[str, list[FrozenTrial]]:
        """The completed trials with each objective as their value, negated if it is minimised."""
        if not self.has_several:
            return {self.objective: self.completed}
        return {
            metric: [_with_value(one, sign * self.values_of(one)[metric]) for one in self.completed]
            for metric, direction in self.directions.items()
            for sign in (1 if direction == "maximize" else -1,)
        }

    @cached_property
    def importances(self) -> dict[str, Importance]:
        """How much each parameter matters, by objective."""
        return {metric: weigh(trials) for metric, trials in self.by_objective.items()}

    @property
    def completed(self) -> list[FrozenTrial]:
        """Trials with a value, by number."""
        return self.in_state(TrialState.COMPLETE)

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        """Trials in `state`, by number."""
        return self.study.get_trials(deepcopy=False, states=(state,))


def read_search(results_file: Path, trials_file: Path | None = None) -> DrawnSearch:
    """Rebuild a study from the results of a search.

    Args:
        results_file: hpo_results.json.
        trials_file: metrics/hpo_trials.csv, for the front of a search of one objective; None:
            without it.

    Raises:
        DataError: if the file is missing, damaged or of another format version.
    """
    results = read_results(results_file)
    study = optuna.create_study(direction="maximize")
    space = distributions(results.search_space)
    for number, trial in enumerate(results.trials):
        try:
            if trial.number != number:
                msg = f"expected number {number}, got {trial.number}"
                raise ValueError(msg)
            study.add_trial(trial.to_optuna(space))
        except (KeyError, OverflowError, ValueError) as error:
            unknown = " is not in the search space" if isinstance(error, KeyError) else ""
            why = str(error).rstrip(".") + unknown
            msg = f"{results_file}: trials.{number}: {why}; {RENEW}"
            raise DataError(msg) from None
    trials = study.get_trials(deepcopy=False)
    sample, winner = results.sample, results.best_trial
    return DrawnSearch(
        study=study,
        objective=results.objective,
        split=results.split,
        num_users=results.num_users,
        random=results.random.get(results.objective),
        best=_find_best(results.best_trial, trials, results_file),
        confirmed=results.confirm,
        defaults=trials[0] if results.include_defaults and _has_value(trials[:1]) else None,
        finished=results.complete,
        space=results.search_space,
        advice=results.advice,
        share=sample.share if sample else 1.0,
        best_on_more=winner.value if winner and sample and sample.has_more else None,
        front=_front(results, trials_file),
    )


def _front(results: Results, trials_file: Path | None) -> Front | None:
    if results.objectives:
        return front_of_objectives(
            results.model_dump(include=WORDED), results.values, results.front, results.random
        )
    if trials_file is None:
        return None
    values = {
        trial.number: trial.value
        for trial in results.trials
        if trial.state == "COMPLETE" and trial.value is not None
    }
    return front_beside(results.objective, values, results.random, trials_file)


def _with_value(trial: FrozenTrial, value: float) -> FrozenTrial:
    changed = copy.copy(trial)
    changed.value = value
    return changed


def _has_value(trials: list[FrozenTrial]) -> bool:
    return any(trial.state == TrialState.COMPLETE for trial in trials)


def _find_best(
    best: Numbered | None, trials: list[FrozenTrial], results_file: Path
) -> FrozenTrial | None:
    if best is None and not _has_value(trials):
        return None
    for trial in trials:
        if best and trial.number == best.number and trial.state == TrialState.COMPLETE:
            return trial
    number = best.number if best else None
    msg = f"{results_file}: best_trial: {number} is not a complete trial; {RENEW}"
    raise DataError(msg)
