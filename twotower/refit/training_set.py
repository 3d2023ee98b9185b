"""Splits as refit trains on them, and the models that it trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from twotower.assessment.clusters import read_clusters
from twotower.baselines.plan import TrainingData
from twotower.common.arrays import Int64Array
from twotower.config import Config
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, read_catalogue, read_parts
from twotower.evaluation.held_out import HeldOut
from twotower.finetuning.start import StartModel
from twotower.training.fit import fit
from twotower.training.towers import TwoTower


@dataclass(frozen=True)
class TrainingSet:
    """Splits to train on.

    Attributes:
        catalogue: users and items that get vectors.
        rows: of the splits.
        decompositions: cache folder of spectral starts; None: they are computed again.
        start: model to continue from; None: models are trained anew.
    """

    catalogue: Catalogue
    rows: pd.DataFrame
    decompositions: Path | None
    start: StartModel | None

    def fit(
        self,
        config: Config,
        params: Mapping[str, Any],
        seed: int | None = None,
        *,
        anew: bool = False,
    ) -> TwoTower:
        """Train a model.

        Args:
            config: all of params.yaml.
            params: hyperparameters that replace those of `config`.
            seed: None: that of `config`.
            anew: whether to leave `start` aside.

        Raises:
            TrainingError: if training diverges.
        """
        model_config, train_config = config.search_space.sections(params)
        seed = config.seed if seed is None else seed
        start = None if anew else self.start
        model = fit(
            self.catalogue,
            self.encoded(),
            model_config,
            train_config,
            seed=seed,
            # Decompositions of further seeds are not worth keeping.
            decompositions=self.decompositions if seed == config.seed else None,
            begin=start.begin(self.catalogue) if start else None,
        )
        if start is not None:
            start.align(model, self.catalogue)
        return model

    def encoded(self) -> Interactions:
        """The rows, as indices into the catalogue."""
        return self.catalogue.encode(self.rows)

    def data(self) -> TrainingData:
        """What baselines are trained on."""
        users, items = self.catalogue.users, self.catalogue.items
        return TrainingData(self.encoded(), len(users), len(items), items.features)


class PreparedData:
    """The splits and the vocabulary that the prepare stage wrote."""

    def __init__(self, folder: Path, decompositions: Path | None, start: StartModel | None) -> None:
        """Read them.

        Args:
            folder: that the prepare stage wrote.
            decompositions: see `TrainingSet`.
            start: likewise.

        Raises:
            DataError: if a file is missing.
        """
        self._folder, self._decompositions, self._start = folder, decompositions, start
        self.splits = read_parts(folder)
        self.vocabulary = read_catalogue(folder / "vocabulary")

    def training_set(self, *names: str) -> TrainingSet:
        """These of PARTS together, with the users and items of the vocabulary and of their rows."""
        frames = [self.splits[name] for name in names]
        catalogue = self.vocabulary.extend(*frames)
        rows = pd.concat(frames, ignore_index=True)
        return TrainingSet(catalogue, rows, self._decompositions, self._start)

    def not_empty(self) -> dict[str, pd.DataFrame]:
        """The rows of those of PARTS that have any."""
        return {name: rows for name, rows in self.splits.items() if len(rows)}

    def clusters(self, catalogue: Catalogue, column: str | None) -> Int64Array | None:
        """[num_users] the cluster of each user, see `evaluate.cluster`; None: each is alone."""
        return read_clusters(self._folder, catalogue.users.vocabulary.ids, column)

    def held_out(self, name: str, training: TrainingSet, *, exclude_seen: bool) -> HeldOut:
        """What of a split a model of the training set is to find."""
        return HeldOut.of(
            training.catalogue,
            training.rows,
            self.splits[f"{name}_history"],
            self.splits[name],
            exclude_seen=exclude_seen,
        )
