"""Two models on the same test rows, as each would be served."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from twotower.artifacts import Artifacts
from twotower.assessment.statistics.paired import paired_interval, paired_test
from twotower.common.arrays import Int64Array
from twotower.common.errors import ComparisonError, RequestError
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.data.prepared import Catalogue, read_catalogue
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set

UNKNOWN = float(np.finfo(np.float32).min)
"""Score of an item that a model cannot recommend: below all others, and finite."""


@dataclass(frozen=True)
class ChampionComparison:
    """A candidate against the champion.

    Attributes:
        metric: name of the metric.
        num_users: users that both were scored for.
        candidate: mean over these users.
        champion: likewise.
        low: lower end of the 95 % interval of the mean difference.
        high: its upper end.
        p_value: of the paired test against "the candidate is not better".
    """

    metric: str
    num_users: int
    candidate: float
    champion: float
    low: float
    high: float
    p_value: float

    def values(self) -> dict[str, float | int | str]:
        """As plain values, by name."""
        return asdict(self)

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.metric} over {self.num_users:,} users: candidate {self.candidate:.4f}, "
            f"champion {self.champion:.4f}, difference {self.candidate - self.champion:+.4f} "
            f"[{self.low:+.4f}, {self.high:+.4f}], p = {self.p_value:.4f}"
        )


class ServedScorer:
    """Scores as a model serves: by its vectors, by popularity for users that it does not know.

    Items that the model does not know come last.
    """

    def __init__(self, artifacts: Artifacts, catalogue: Catalogue) -> None:
        """Map the model's users and items to those that are evaluated.

        Args:
            artifacts: of the model.
            catalogue: users and items by the indices of the evaluation set.

        Raises:
            ComparisonError: if the model's ids are of another type.
        """
        self._artifacts = artifacts
        try:
            self._users = artifacts.user_ids.encode(catalogue.users.vocabulary.ids)
            items = artifacts.item_ids.encode(catalogue.items.vocabulary.ids)
        except RequestError as error:
            msg = f"the models cannot be compared: {error}"
            raise ComparisonError(msg) from None
        known = items >= 0
        self._unknown = torch.from_numpy(~known)
        vectors = np.zeros((len(items), artifacts.item_vecs.shape[1]), dtype=np.float32)
        vectors[known] = artifacts.item_vecs[items[known]]
        counts = np.zeros(len(items), dtype=np.float32)
        counts[known] = artifacts.item_counts[items[known]]
        self._items, self._counts = torch.from_numpy(vectors), torch.from_numpy(counts)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32; a higher score ranks earlier."""
        users = self._users[user_idx]
        vectors = np.zeros((len(users), self._items.shape[1]), dtype=np.float32)
        vectors[users >= 0] = self._artifacts.user_vecs[users[users >= 0]]
        scores = torch.from_numpy(vectors) @ self._items.T
        scores[torch.from_numpy(~vectors.any(axis=1))] = self._counts
        scores[:, self._unknown] = UNKNOWN
        return scores


def compare(
    config: Config,
    candidate: Artifacts,
    champion: Artifacts,
    splits: Mapping[str, pd.DataFrame],
    prepared: Path,
) -> ChampionComparison:
    """Score both models on the test split, with the same users, candidates and masks.

    Args:
        config: sections `evaluate` and `hpo.objective`, and the seed.
        candidate: one model.
        champion: the other one.
        splits: prepared data; train and validation are the users' history.
        prepared: its folder.

    Raises:
        ComparisonError: if nothing can be compared.
    """
    history = pd.concat([splits["train"], splits["validation"]], ignore_index=True)
    catalogue = read_catalogue(prepared / "vocabulary").extend(history)
    target = evaluation_set(
        catalogue, history, splits["test"], exclude_seen=config.evaluate.exclude_seen
    )
    if not len(target):
        msg = "the models cannot be compared: no user of the test split has a new item to find"
        raise ComparisonError(msg)
    metric, ks = config.hpo.objective, config.evaluate.ks
    scores = [
        evaluate(ServedScorer(model, catalogue), target, ks).per_user[metric]
        for model in (candidate, champion)
    ]
    differences = scores[0] - scores[1]
    seed = derive_seed(config.seed, "promotion")
    low, high = paired_interval(differences, seed=seed)
    return ChampionComparison(
        metric=metric,
        num_users=len(target),
        candidate=float(scores[0].mean()),
        champion=float(scores[1].mean()),
        low=low,
        high=high,
        p_value=paired_test(differences, seed=seed),
    )
