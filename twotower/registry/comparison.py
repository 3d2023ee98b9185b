"""Two models on the same test rows, as each would be served."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from twotower.artifacts import Artifacts
from twotower.assessment.clusters import in_clusters, num_clusters, read_clusters
from twotower.assessment.comparison import beats
from twotower.assessment.looks import looks_text, record_look
from twotower.assessment.per_user import evaluated_digests, per_user_table
from twotower.common.arrays import Float32Array, Float64Array, Int64Array
from twotower.common.errors import ComparisonError, RequestError
from twotower.common.scorers import MODEL
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.data.prepared import Catalogue, read_catalogue
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import HeldOut, ordered_items
from twotower.evaluation.item_groups import assessed_as
from twotower.serving.query_vectors import history_vectors, user_vectors

LOWEST_SCORE = float(np.finfo(np.float32).min)
"""Score of an item that a model does not have; finite, and below all others."""


@dataclass(frozen=True)
class ChampionComparison:
    """A candidate against the champion.

    Attributes:
        metric: name of the metric.
        num_users: number of users that both were evaluated on.
        num_clusters: number of clusters that they are in; None without `evaluate.cluster`.
        candidate: mean of the metric over these users.
        champion: likewise.
        alpha: level of the test.
        low: lower bound of the mean difference, one-sided, at confidence 1 - alpha.
        high: its upper bound, likewise.
        p_value: of the one-sided test that the candidate is no better.
        beats: whether `p_value` is at most alpha: `low` is above 0.
        looks: how often the test rows have been looked at.
    """

    metric: str
    num_users: int
    num_clusters: int | None
    candidate: float
    champion: float
    alpha: float
    low: float
    high: float
    p_value: float
    beats: bool
    looks: int

    @property
    def note(self) -> str:
        """What several looks do to the claim; empty if there is one."""
        claim = {"beaten": self.beats, "p_value": self.p_value}
        return looks_text(self.looks, {"alpha": self.alpha, "comparisons": {"the champion": claim}})

    @property
    def figures(self) -> str:
        """The difference and its p-value."""
        return f"{self.candidate - self.champion:+.4f}, p {self.p_value:.4f}"

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.metric} over {self.num_users:,} users{in_clusters(self.num_clusters)}: "
            f"candidate {self.candidate:.4f}, champion {self.champion:.4f}, "
            f"difference {self.candidate - self.champion:+.4f} "
            f"[{self.low:+.4f}, {self.high:+.4f}], p {self.p_value:.4f}"
        )


class ServedScorer:
    """Scores items as the model serves them.

    Users that the model does not have get items by popularity, unless their histories are given;
    items that it does not have come last.
    """

    def __init__(
        self, artifacts: Artifacts, catalogue: Catalogue, history: pd.DataFrame | None = None
    ) -> None:
        """Map the catalogue's users and items to the model's.

        Args:
            artifacts: of the model.
            catalogue: users and items of the evaluation set.
            history: rows by which all of the users are scored, whether the model has them or not;
                without rows, or None: users are scored by the vectors that the model has of them.

        Raises:
            ComparisonError: if the model's ids are of a different type.
        """
        try:
            users = artifacts.user_ids.encode(catalogue.users.vocabulary.ids)
            items = artifacts.item_ids.encode(catalogue.items.vocabulary.ids)
            self._user_vecs = (
                user_vectors(artifacts, users)
                if history is None or history.empty
                else _by_history(artifacts, catalogue, history)
            )
        except RequestError as error:
            msg = f"the models cannot be compared: {error}"
            raise ComparisonError(msg) from None
        in_model = items >= 0
        vectors = np.zeros((len(items), artifacts.item_vecs.shape[1]), dtype=np.float32)
        vectors[in_model] = artifacts.item_vecs[items[in_model]]
        counts = np.zeros(len(items), dtype=np.float32)
        counts[in_model] = artifacts.item_counts[items[in_model]]
        self._item_vecs, self._item_counts = torch.from_numpy(vectors), torch.from_numpy(counts)
        self._missing_items = torch.from_numpy(~in_model)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32; a higher score ranks earlier."""
        vectors = self._user_vecs[user_idx]
        scores = torch.from_numpy(vectors) @ self._item_vecs.T
        scores[torch.from_numpy(~vectors.any(axis=1))] = self._item_counts
        scores[:, self._missing_items] = LOWEST_SCORE
        return scores


def _by_history(artifacts: Artifacts, catalogue: Catalogue, history: pd.DataFrame) -> Float32Array:
    """[num_users, dim] vectors of new users as the model serves them."""
    items = artifacts.item_ids.encode(history["item_id"].tolist())
    known = catalogue.encode(history[items >= 0])
    rows = replace(known, item_idx=items[items >= 0])
    return history_vectors(artifacts, ordered_items(rows, len(catalogue.users)))


def compare(
    config: Config,
    candidate: Artifacts,
    champion: Artifacts,
    splits: Mapping[str, pd.DataFrame],
    prepared: Path,
    *,
    root: Path,
) -> ChampionComparison:
    """Evaluate both models on the test split, with the same users, items and masks.

    It is a look at the test split, that of the candidate's refit again if it ran in `root`.

    Args:
        config: sections `evaluate` and `hpo.objective`, `mlflow.alpha` and the seed.
        candidate: the new model.
        champion: the current one.
        splits: all parts of the prepared data. Train and validation are the users' history; of
            users who are held out whole, test_history.
        prepared: its folder.
        root: the repository, which counts the looks at its test splits.

    Raises:
        ComparisonError: if no user can be evaluated.
        DataError: if `evaluate.cluster` is set and the file of clusters is missing or damaged.
    """
    held_out = _held_out(config, splits, prepared)
    catalogue, target = held_out.catalogue, held_out.target
    if not len(target):
        msg = "the models cannot be compared: no user has a test item that is new to them"
        raise ComparisonError(msg)
    metric, ks = assessed_as(config.hpo.objective)[0], config.evaluate.ks
    per_user = [
        evaluate(ServedScorer(model, catalogue, splits["test_history"]), target, ks).per_user
        for model in (candidate, champion)
    ]
    scores = [values[metric] for values in per_user]
    seed, alpha = derive_seed(config.seed, "promotion"), config.mlflow.alpha
    users = catalogue.users.vocabulary.ids[target.users]
    clusters = read_clusters(prepared, users, config.evaluate.cluster)
    found = beats(*scores, seed=seed, alpha=alpha, clusters=clusters)
    return ChampionComparison(
        metric=metric,
        num_users=len(target),
        num_clusters=None if clusters is None else num_clusters(clusters),
        candidate=float(scores[0].mean()),
        champion=float(scores[1].mean()),
        alpha=alpha,
        low=found.lower_bound,
        high=found.upper_bound,
        p_value=found.p_value,
        beats=found.beats,
        looks=_looks(root, metric, held_out, splits["test"], per_user[0]),
    )


def _held_out(config: Config, splits: Mapping[str, pd.DataFrame], prepared: Path) -> HeldOut:
    """What both models are evaluated on."""
    names = ("train", "validation_history", "validation")
    rows = pd.concat([splits[name] for name in names], ignore_index=True)
    return HeldOut.of(
        read_catalogue(prepared / "vocabulary").extend(rows),
        rows,
        splits["test_history"],
        splits["test"],
        exclude_seen=config.evaluate.exclude_seen,
    )


def _looks(
    root: Path,
    metric: str,
    held_out: HeldOut,
    test: pd.DataFrame,
    candidate: Mapping[str, Float64Array],
) -> int:
    """How often the test rows have been looked at, the candidate's look included."""
    catalogue, target = held_out.catalogue, held_out.target
    digests = evaluated_digests(catalogue, target, test)
    table = per_user_table(catalogue, target, {MODEL: dict(candidate)}, digests)
    return record_look(root, {"scored": True, "objective": metric}, table)
