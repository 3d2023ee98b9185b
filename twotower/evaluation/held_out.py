"""Who is evaluated and what they are scored by: their training rows, or rows that are folded in."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.config import Config
from twotower.config.training import ModelConfig
from twotower.data.features import Features
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.evaluation.fold_in import FoldIn
from twotower.evaluation.holdout import EvaluationSet, evaluation_set, self_information
from twotower.evaluation.item_groups import by_group
from twotower.evaluation.ranking import VectorScorer

if TYPE_CHECKING:
    from twotower.training.towers import TwoTower

AT_ONCE = 256
"""Histories that a sequence tower reads at a time."""


@dataclass(frozen=True)
class HeldOut:
    """Rows that are held out of training, ready to be measured.

    Attributes:
        catalogue: users of `target`, by index, and items.
        target: held-out items of the users.
        folded_in: what is known of the users, who are not trained on, without items that the model
            lacks; None: they have training rows, and are scored by these.
        item_counts: [num_items] training rows of each item.
    """

    catalogue: Catalogue
    target: EvaluationSet
    folded_in: Interactions | None
    item_counts: Int64Array

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        training: pd.DataFrame,
        history: pd.DataFrame,
        rows: pd.DataFrame,
        *,
        exclude_seen: bool,
    ) -> "HeldOut":
        """Prepare rows for evaluation.

        Args:
            catalogue: users and items that the model has vectors for.
            training: rows that it is trained on.
            history: what is known of users who are held out whole; without rows, `rows` are of
                users with training rows.
            rows: to be found.
            exclude_seen: whether the items that a user is scored by are masked.
        """
        folded_in, seen = None, training
        trained = catalogue.encode(training)
        num_users, num_items = len(catalogue.users), len(catalogue.items)
        counts = np.bincount(trained.item_idx, minlength=num_items)
        if len(history):
            ids = pd.Index(np.sort(history["user_id"].unique()))
            users = Entities(Vocabulary(ids, catalogue.users.vocabulary.text), Features())
            catalogue, seen = Catalogue(users, catalogue.items), history
            known = catalogue.items.vocabulary.encode(history["item_id"]) >= 0
            folded_in = catalogue.encode(history[known])
        target = evaluation_set(catalogue, seen, rows, exclude_seen=exclude_seen)
        if folded_in is not None:  # who has which item is told by the training rows, not by these
            lists = trained.distinct_items(num_users, num_items)
            target = replace(target, information=self_information(lists, num_items))
        return cls(catalogue, target, folded_in, counts)

    def groups(self, config: Config) -> dict[str, EvaluationSet]:
        """The evaluation set of all items and, where that is told apart, of warm and cold ones.

        Args:
            config: sections `hpo` and `split` say whether it is.
        """
        if not (config.reports_item_groups and len(self.target)):
            return {"all": self.target}
        return by_group(self.target, self.item_counts > 0)

    @cached_property
    def _histories(self) -> list[Int64Array] | None:
        """Items of each user who is folded in, the latest last; sorted once for many models."""
        if self.folded_in is None:
            return None
        return ordered_items(self.folded_in, len(self.catalogue.users))

    def scorer(self, model: "TwoTower", config: ModelConfig) -> VectorScorer:
        """Scores of a model for the users of `target`, as it would be served.

        Args:
            model: trained.
            config: what it was built by.
        """
        users, items = model.vectors()
        device = next(model.parameters()).device
        if self._histories is None:
            return VectorScorer(users, items, device)
        vectors = fold_in(model, config, items).vectors(self._histories)
        return FoldedInScorer(vectors, items, self.item_counts, device)


class FoldedInScorer(VectorScorer):
    """Inner products; popular items for users of whose items none is known, as in serving."""

    def __init__(
        self,
        user_vecs: Float32Array,
        item_vecs: Float32Array,
        item_counts: Int64Array,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(user_vecs, item_vecs, device)
        self._unknown: BoolArray = ~np.any(user_vecs, axis=1)
        self._popularity = torch.from_numpy(item_counts.astype(np.float32)).to(self.device)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] inner products, or training rows; the next call overwrites them."""
        scores = super().scores(user_idx)
        unknown = torch.from_numpy(np.flatnonzero(self._unknown[user_idx]))
        scores[unknown.to(self.device, non_blocking=True)] = self._popularity
        return scores


def fold_in(model: "TwoTower", config: ModelConfig, item_vecs: Float32Array) -> FoldIn:
    """How a model in memory is served to new users; the same as of its artifacts.

    Args:
        model: trained.
        config: what it was built by.
        item_vecs: [num_items, dim] of the model.
    """
    pooled = model.history_item_vectors()
    return FoldIn(
        addends=item_vecs if pooled is None else pooled,
        width=item_vecs.shape[1] - int(model.adds_popularity),
        exponent=1.0 if pooled is None else config.user_exponent,
        decay=0.0 if pooled is None else config.history_decay,
        normalise=model.normalise,
        has_popularity=model.adds_popularity,
        encode=model.sequence_vectors if config.reads_sequence else None,
        at_once=AT_ONCE,
    )


def ordered_items(rows: Interactions, num_users: int) -> list[Int64Array]:
    """Distinct items of each user, by their last rows, the latest last.

    Args:
        rows: within the catalogue.
        num_users: user indices are below it.
    """
    order = np.lexsort((rows.timestamp, rows.user_idx))
    users, items = rows.user_idx[order], rows.item_idx[order]
    last = ~pd.DataFrame({"user": users, "item": items}).duplicated(keep="last").to_numpy()
    stops = np.cumsum(np.bincount(users[last], minlength=num_users))
    return np.split(items[last], stops[:-1])
