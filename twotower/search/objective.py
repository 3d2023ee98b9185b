"""The value of a trial: train on the training split, rank the validation split."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import joblib

from twotower.common.files import round_float
from twotower.config import Config
from twotower.config.training import ModelConfig, TrainConfig
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.item_groups import GROUPS, check_objectives, with_mix
from twotower.evaluation.metrics import MetricValues, random_expectation
from twotower.search.data_facts import facts_of, without_entries
from twotower.search.shares import shares_of
from twotower.search.trial import Trial
from twotower.search.trial_data import SearchRows, TrialData
from twotower.training.fit import fit
from twotower.training.towers import TwoTower

Report = Callable[[int, float], bool]
"""Gets the objective after each epoch, from 1; returns whether the training should stop."""


class _StopTraining(Exception):  # noqa: N818 - no error
    """Ends the fit loop after an epoch."""


class Objective:
    """Prepared data in memory, ready to try hyperparameters on.

    Attributes:
        shares: of the users in each rung of the search, ascending; the last one is 1.
        whole: the rows of all users.
        counts: rows and entities that the search sees.
        facts: what decides which hyperparameters do anything.
        left_out: entries of the space that do nothing on this data, and why.
    """

    def __init__(self, folder: Path, config: Config, decompositions: Path | None = None) -> None:
        """Load prepared data.

        Args:
            folder: that the prepare stage wrote.
            config: all of params.yaml.
            decompositions: folder that keeps spectral starts; None: each trial computes its own.

        Raises:
            DataError: if a file is missing or damaged.
        """
        self._decompositions = decompositions
        # Workers on other machines get a copy: without the credentials of the storage.
        hpo = config.hpo.model_copy(update={"storage": None})
        config = config.model_copy(update={"hpo": hpo})
        rows = SearchRows.read(folder)
        self.shares = shares_of(hpo.sample, len(rows.train))
        scored = rows.scored_by(self.shares[0], config.seed)
        self.whole = TrialData.of(scored, config)
        samples = ((share, scored.trained_on(share, config.seed)) for share in self.shares[:-1])
        self._data = {
            1.0: self.whole,
            **{share: TrialData.of(part, config, self.whole) for share, part in samples},
        }
        self.facts = facts_of(self.whole.catalogue, self.whole.interactions)
        self.left_out = config.search_space.without_effect(self.facts)
        self._config = without_entries(config, self.left_out)
        check_objectives(config.hpo.directions, self.whole.targets)
        self.counts = {
            "num_users": len(rows.catalogue.users),
            "num_items": len(rows.catalogue.items),
            "num_train_rows": len(rows.train),
            "num_validation_rows": len(rows.validation),
        }

    @property
    def target(self) -> EvaluationSet:
        """Held-out items of the validation split; empty if there is no such split.

        Its users are those of the first share, so that scores of all rungs can be compared.
        """
        return self.whole.target

    def data(self, share: float | None) -> TrialData:
        """The rows of a share of the users, one of `shares`; None: the first, that of trials."""
        return self._data[self.shares[0] if share is None else share]

    def __call__(self, trial: Trial, report: Report | None = None) -> Trial:
        """Train a trial and score it.

        Args:
            trial: RUNNING; `hpo.fixed`, `model` and `train` hold the hyperparameters that its
                `params` lack.
            report: if given, it gets the objective after each epoch, and may stop the training.

        Returns:
            The trial, COMPLETE or PRUNED, with value, metrics, losses and best epoch.

        Raises:
            TrainingError: if the loss or a score stops being finite.
        """
        config = self._config
        space = config.search_space
        model_config, train_config = space.sections(space.complete(trial.params))
        data = self.data(trial.share)
        validate = partial(self._validate, model_config, share=trial.share)
        watch = _Watch(trial, validate, config.hpo.objective, train_config, report)
        try:
            model = fit(
                data.catalogue,
                data.interactions,
                model_config,
                train_config,
                seed=config.seed if trial.seed is None else trial.seed,
                on_epoch=watch,
                decompositions=self._decompositions,
            )
        except _StopTraining:
            finished = watch.finished()
        else:
            finished = watch.finished(model)
        _, *further = config.hpo.directions
        return replace(finished, further=[finished.metrics[name] for name in further])

    def _validate(
        self, config: ModelConfig, model: TwoTower, share: float | None = None
    ) -> dict[str, float]:
        """Metrics on the validation split, rounded."""
        data = self.data(share)
        scorer = data.held_out.scorer(model, config)
        ks = self._config.evaluate.ks
        found = self._by_group(data, lambda target: evaluate(scorer, target, ks))
        return {name: round_float(value) for name, value in found.items()}

    def random(self) -> dict[str, float]:
        """Metrics that a random ranking of the validation split is expected to have."""
        ks = self._config.evaluate.ks
        return self._by_group(self.whole, lambda target: random_expectation(target, ks))

    def _by_group(
        self, data: TrialData, measure: Callable[[EvaluationSet], MetricValues]
    ) -> dict[str, float]:
        """Metrics of every group of items, and the mix of them that is searched for."""
        found = {
            key + GROUPS[name].suffix: value
            for name, target in data.targets.items()
            for key, value in measure(target).summary().items()
        }
        return with_mix(found, self._config.hpo.objective)


class _Watch:
    """Scores the validation split after the epochs where a pruner or `train.patience` needs it."""

    def __init__(
        self,
        trial: Trial,
        validate: Callable[[TwoTower], dict[str, float]],
        objective: str,
        config: TrainConfig,
        report: Report | None,
    ) -> None:
        self._trial = trial
        self._validate = validate
        self._objective = objective
        self._patience = config.patience
        self._epochs = min(config.epochs, config.last_epoch or config.epochs)
        self._report = report
        self._losses: list[float] = []
        self._metrics: dict[str, float] = {}
        self._best_epoch: int | None = None
        self._stopped = False

    def __call__(self, epoch: int, loss: float, model: TwoTower) -> None:
        """Keep loss and metrics of the epoch; see `fit`."""
        self._losses.append(round_float(loss))
        if self._report is None and self._patience is None:
            return
        metrics = self._validate(model)
        value = metrics[self._objective]
        if self._patience is None or self._is_best(value):
            self._metrics, self._best_epoch = metrics, epoch
        last = epoch == self._epochs
        if self._report is not None and self._report(epoch, value) and not last:
            self._stopped = True
            raise _StopTraining
        if self._patience is not None and epoch - (self._best_epoch or 0) >= self._patience:
            raise _StopTraining

    def _is_best(self, value: float) -> bool:
        return self._best_epoch is None or value > self._metrics[self._objective]

    def finished(self, model: TwoTower | None = None) -> Trial:
        """The trial with its results.

        Args:
            model: as it ended; None if the training was stopped.
        """
        if not self._metrics and model is not None:
            self._metrics = self._validate(model)
        return replace(
            self._trial,
            state="PRUNED" if self._stopped else "COMPLETE",
            value=self._metrics[self._objective],
            metrics=self._metrics,
            losses=self._losses,
            best_epoch=self._best_epoch if self._patience is not None else None,
        )


def load_objective(path: Path) -> Objective:
    """The objective that joblib wrote; its arrays are memory-mapped, so that workers share them."""
    objective: Objective = joblib.load(path, mmap_mode="c")
    return objective
