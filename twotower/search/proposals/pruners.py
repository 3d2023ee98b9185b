"""Whether a trial is pruned: a function of its epochs and of earlier trials alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.trial import TrialState, create_trial

from twotower.config.hpo import (
    HpoConfig,
    HyperbandConfig,
    MedianConfig,
    NoPrunerConfig,
    PrunerConfig,
)
from twotower.config.search_space import SearchSpace
from twotower.search.trial import Trial

STUDY_NAME = "two-tower"
"""Hyperband's brackets hash it together with the number of the trial."""


@dataclass(frozen=True)
class Pruning:
    """All that decides whether one trial is pruned, apart from what the trial reports.

    Attributes:
        config: which pruner.
        most_epochs: that any trial of the search can have.
        finished: trials 0..number - lookahead, with what a pruner reads of them.
    """

    config: PrunerConfig
    most_epochs: int
    finished: tuple[Trial, ...]


def pruning_of(
    number: int, trials: Mapping[int, Trial], config: HpoConfig, space: SearchSpace
) -> Pruning | None:
    """What the pruner of trial `number` may see; None without a pruner.

    Args:
        number: of the trial.
        trials: 0..number - lookahead at least; later ones make no difference.
        config: pruner and lookahead count.
        space: says how many epochs a trial can have.
    """
    if isinstance(config.pruner, NoPrunerConfig):
        return None
    return Pruning(
        config.pruner,
        max(space.reach("epochs")),
        tuple(_as_pruners_see(trials[n]) for n in range(number - config.lookahead + 1)),
    )


def _as_pruners_see(trial: Trial) -> Trial:
    """The part of a finished trial that pruners read: little to send to a worker."""
    rungs = {k: v for k, v in trial.system_attrs.items() if k.startswith("completed_rung_")}
    return Trial(
        trial.number, trial.state, {},
        value=trial.value, intermediate=trial.intermediate, system_attrs=rungs,
    )  # fmt: skip


class EpochWatch:
    """Judges one running trial by ordinary `report` and `should_prune` on a study of its own.

    Attributes:
        intermediate: the reported objective by epoch.
    """

    def __init__(self, number: int, pruning: Pruning) -> None:
        self.intermediate: dict[int, float] = {}
        self._study = optuna.create_study(
            study_name=STUDY_NAME,
            direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=0),  # samples nothing
            pruner=_make_pruner(pruning),
        )
        self._study.add_trials([trial.to_optuna({}) for trial in pruning.finished])
        unknown = number - len(pruning.finished)
        self._study.add_trials([create_trial(state=TrialState.RUNNING) for _ in range(unknown)])
        self._trial = self._study.ask()

    def __call__(self, epoch: int, value: float) -> bool:
        """Keep the objective after an epoch, from 1; whether the trial should stop here."""
        self.intermediate[epoch] = value
        self._trial.report(value, epoch)
        return self._trial.should_prune()

    @property
    def rungs(self) -> dict[str, Any]:
        """What successive halving stored with the trial."""
        return dict(self._study.trials[-1].system_attrs)


def _make_pruner(pruning: Pruning) -> BasePruner:
    """A fresh pruner; Hyperband's keeps brackets in itself."""
    config = pruning.config
    if isinstance(config, NoPrunerConfig):
        return optuna.pruners.NopPruner()
    if isinstance(config, MedianConfig):
        # Optuna counts steps from 0, epochs begin at 1.
        return MedianPruner(
            n_startup_trials=config.n_startup_trials, n_warmup_steps=config.n_warmup_steps + 1
        )
    if isinstance(config, HyperbandConfig):
        return HyperbandPruner(
            min_resource=config.min_resource,
            max_resource=max(pruning.most_epochs, config.min_resource),
            reduction_factor=config.reduction_factor,
        )
    return SuccessiveHalvingPruner(
        min_resource=config.min_resource, reduction_factor=config.reduction_factor
    )
