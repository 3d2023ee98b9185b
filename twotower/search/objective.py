"""The value of a trial: train on the training split, rank the validation split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.files import round_float
from twotower.config import Config
from twotower.config.load import with_hyperparameters
from twotower.data.prepared import read_catalogue, read_split
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.training.fit import fit


@dataclass(frozen=True)
class Outcome:
    """What a training run was worth.

    Attributes:
        metrics: mean of each metric over the users of the validation split.
        losses: mean training loss of each epoch.
    """

    metrics: dict[str, float]
    losses: list[float]


class Objective:
    """Prepared data in memory, ready to try hyperparameters on.

    Attributes:
        target: what is to be found in the validation split; empty if there is no such split.
        counts: rows and entities that the search sees.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        self._config = config
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

    def __call__(self, params: Mapping[str, Any]) -> Outcome:
        """Metrics of one set of hyperparameters.

        Raises:
            TrainingError: if the loss or a score stops being finite.
        """
        model_config, train_config = with_hyperparameters(
            self._config.model, self._config.train, params
        )
        losses: list[float] = []
        model = fit(
            self._catalogue,
            self._interactions,
            model_config,
            train_config,
            seed=self._config.seed,
            on_epoch=lambda _epoch, loss, _model: losses.append(round_float(loss)),
        )
        summary = evaluate(
            VectorScorer(*model.vectors()), self.target, self._config.evaluate.ks
        ).summary()
        return Outcome({name: round_float(value) for name, value in summary.items()}, losses)
