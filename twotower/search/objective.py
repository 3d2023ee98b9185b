"""The value of a trial: train on the training split, rank the validation split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from twotower.common.files import round_float
from twotower.config import Config
from twotower.config.load import fixed_params, with_hyperparameters
from twotower.data.prepared import read_catalogue, read_split
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.training.fit import fit
from twotower.training.towers import TwoTower

Report = Callable[[int, float], bool]
"""Told of the objective after each epoch, from 1; answers whether the training should stop."""


@dataclass(frozen=True)
class Outcome:
    """What a training run was worth.

    Attributes:
        metrics: mean of each metric over the users of the validation split.
        losses: mean training loss of each epoch.
        stopped: whether it ended before its last epoch.
    """

    metrics: dict[str, float]
    losses: list[float]
    stopped: bool = False


class _StopTraining(Exception):  # noqa: N818 - no error
    """Ends the fit loop after an epoch."""


class Objective:
    """Prepared data in memory, ready to try hyperparameters on.

    Attributes:
        target: what is to be found in the validation split; empty if there is no such split.
        counts: rows and entities that the search sees.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        # Workers get a copy, which may travel: without the credentials of the storage.
        hpo = config.hpo.model_copy(update={"storage": None})
        self._config = config.model_copy(update={"hpo": hpo})
        self._catalogue = read_catalogue(folder / "vocabulary")
        train, validation = (
            read_split(folder / f"{name}.parquet") for name in ("train", "validation")
        )
        self._interactions = self._catalogue.encode(train)
        self.target: EvaluationSet = evaluation_set(
            self._catalogue, train, validation, config.evaluate
        )
        self.counts = {
            "num_users": len(self._catalogue.users),
            "num_items": len(self._catalogue.items),
            "num_train_rows": len(train),
            "num_validation_rows": len(validation),
        }

    def __call__(
        self, params: Mapping[str, Any], report: Report | None = None, seed: int | None = None
    ) -> Outcome:
        """Metrics of one set of hyperparameters.

        Args:
            params: searched hyperparameters; `hpo.fixed`, `model` and `train` hold the others.
            report: if given, the validation split is ranked after each epoch, and it is told.
            seed: of the training; None: that of params.yaml.

        Raises:
            TrainingError: if the loss or a score stops being finite.
        """
        config = self._config
        used = {**params, **fixed_params(config)}
        model_config, train_config = with_hyperparameters(config.model, config.train, used)
        losses: list[float] = []
        metrics: dict[str, float] = {}

        def on_epoch(epoch: int, loss: float, model: TwoTower) -> None:
            losses.append(round_float(loss))
            last = epoch == train_config.epochs
            if report is None and not last:
                return
            metrics.update(self._validate(model))
            if report is not None and report(epoch, metrics[config.hpo.objective]) and not last:
                raise _StopTraining

        try:
            fit(
                self._catalogue,
                self._interactions,
                model_config,
                train_config,
                seed=config.seed if seed is None else seed,
                on_epoch=on_epoch,
            )
        except _StopTraining:
            return Outcome(metrics, losses, stopped=True)
        return Outcome(metrics, losses)

    def _validate(self, model: TwoTower) -> dict[str, float]:
        """Metrics of the validation split, ranked whole."""
        scorer = VectorScorer(*model.vectors())
        summary = evaluate(scorer, self.target, self._config.evaluate.ks).summary()
        return {name: round_float(value) for name, value in summary.items()}


def load_objective(path: Path) -> Objective:
    """The objective that joblib wrote; its arrays are memory-mapped, so that workers share them."""
    objective: Objective = joblib.load(path, mmap_mode="c")
    return objective
