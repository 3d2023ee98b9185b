"""Other models on the test users of a fold: older ones, and one with older hyperparameters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twotower.artifacts import Artifacts
from twotower.assessment.per_user import per_user_table, read_per_user, write_per_user
from twotower.backtest.fold_data import FoldData
from twotower.backtest.fold_run import FoldRun
from twotower.common.arrays import Float32Array, Float64Array, Int64Array
from twotower.common.errors import DataError, TrainingError
from twotower.common.files import canonical, json_text, sha256_text
from twotower.common.scorers import MODEL
from twotower.config import Config
from twotower.config.hyperparameters import hyperparameters
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.prepared import Catalogue
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import FoldedInScorer
from twotower.evaluation.item_groups import assessed_as
from twotower.evaluation.ranking import Scorer
from twotower.training.fit import fit

OTHER = "other"
"""The scorer of the files that are kept."""


class OlderModel(FoldedInScorer):
    """What the service of an older model answers to the users of a later catalogue.

    It knows neither users nor items that came after its training: such users get its popular items,
    such items nobody gets.
    """

    def __init__(self, model: Artifacts, catalogue: Catalogue) -> None:
        """Put the model's vectors in the order of a later catalogue.

        Args:
            model: trained before.
            catalogue: of the users and items that scores are asked for.
        """
        users = model.catalogue.users.vocabulary.encode(catalogue.users.vocabulary.ids)
        items = model.catalogue.items.vocabulary.encode(catalogue.items.vocabulary.ids)
        counts = np.where(items >= 0, model.item_counts[items], 0)
        super().__init__(_rows(model.user_vecs, users), _rows(model.item_vecs, items), counts)
        self._new_items = torch.from_numpy(np.flatnonzero(items < 0))

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] inner products, or training rows; -inf of items that it lacks."""
        return super().scores(user_idx).index_fill_(1, self._new_items, -torch.inf)


def _rows(vectors: Float32Array, places: Int64Array) -> Float32Array:
    """[len(places), dim] the rows at these places; zeros for -1."""
    found = np.zeros((len(places), vectors.shape[1]), np.float32)
    found[places >= 0] = vectors[places[places >= 0]]
    return found


@dataclass(frozen=True)
class Others:
    """Scores of other models on the test users of a fold, in the order of its `per_user`.

    Users, relevant items and masks are those of the fold: what is compared is the model, not how
    old the list of what a user has had is.

    Attributes:
        run: the fold, searched and refitted.
        config: see `fold_config`.
    """

    run: FoldRun
    config: Config

    @cached_property
    def _data(self) -> FoldData:
        return FoldData(self.run.kept / "prepared", self.config.evaluate.exclude_seen)

    @property
    def _metric(self) -> str:
        return assessed_as(self.config.hpo.objective)[0]

    def of_older(self, older: FoldRun) -> Float64Array:
        """[num_users] the objective of the model of an earlier fold."""
        return self._kept(
            older.kept.name, lambda: OlderModel(older.model, self._data.test.catalogue)
        )

    def with_params_of(self, other: FoldRun) -> Float64Array | None:
        """[num_users] the objective of a model with the hyperparameters of another fold's search.

        It is trained on all before the cut-off, as the fold's own is. None if that diverges.
        """
        params, own = other.content["best_params"], self.run.content["best_params"]
        sections = self.config.search_space.sections
        wanted, here = (canonical(hyperparameters(*sections(p))) for p in (params, own))
        if wanted == here:
            return self.run.per_user.metrics[MODEL][self._metric]
        try:
            return self._kept(
                sha256_text(json_text(wanted))[:16], lambda: self._trained(*sections(params))
            )
        except TrainingError:
            return None

    def _trained(self, model_config: ModelConfig, train_config: TrainConfig) -> Scorer:
        catalogue, rows = self._data.catalogue, self._data.rows
        seed = self.config.seed
        model = fit(catalogue, catalogue.encode(rows), model_config, train_config, seed=seed)
        return self._data.test.scorer(model, model_config)

    def _kept(self, name: str, scorer: Callable[[], Scorer]) -> Float64Array:
        """[num_users] the objective of a scorer, computed unless it has been kept.

        Args:
            name: digest of the scorer.
            scorer: makes it.
        """
        path = self.run.kept / "others" / f"{name}.parquet"
        values = _read(path, self._metric)
        if values is not None:
            return values
        test = self._data.test
        found = evaluate(scorer(), test.target, self.config.evaluate.ks)
        content = per_user_table(test.catalogue, test.target, {OTHER: found.per_user}, {})
        write_per_user(path, content)
        return content.metrics[OTHER][self._metric]


def _read(path: Path, metric: str) -> Float64Array | None:
    """[num_users] what has been kept; None if there is nothing that is whole."""
    try:
        return read_per_user(path).metrics[OTHER][metric] if path.exists() else None
    except (DataError, KeyError):
        return None
