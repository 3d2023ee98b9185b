"""What trials are trained on and scored by: the rows of all users, or of a share of them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, read_catalogue, read_split
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.holdout import EvaluationSet


@dataclass(frozen=True)
class SearchRows:
    """The prepared files that a search reads.

    Attributes:
        catalogue: users and items.
        train: rows to train on, see `read_split`.
        history: what is known of validation users who are held out whole; else without rows.
        validation: rows to find.
    """

    catalogue: Catalogue
    train: pd.DataFrame
    history: pd.DataFrame
    validation: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "SearchRows":
        """Read prepared data.

        Raises:
            DataError: if a file is missing or damaged.
        """
        names = ("train", "validation_history", "validation")
        catalogue = read_catalogue(folder / "vocabulary")
        return cls(catalogue, *(read_split(folder / f"{name}.parquet") for name in names))

    def of_share(self, share: float, seed: int) -> "SearchRows":
        """Rows of a share of the users; validation users who are held out whole all stay.

        Whether a user is among them depends on its id and the seed alone: a smaller share has some
        of the users of a larger one, and new data leaves them as they are. All items stay, so that
        the number of items to choose from is that of the whole.

        Args:
            share: in (0, 1]; 1: all.
            seed: of params.yaml.
        """
        if share == 1:
            return self
        users = self.catalogue.users
        ids = users.vocabulary.ids.tolist()
        draws = np.fromiter((derive_seed(seed, "search", i) for i in ids), np.int64, len(ids))
        sampled = Catalogue(users.take(np.flatnonzero(draws < share * 2**32)), self.catalogue.items)
        validation = self.validation
        if not len(self.history):
            validation = _of_users(sampled, validation)
        train = _of_users(sampled, self.train)
        return replace(self, catalogue=sampled, train=train, validation=validation)


def _of_users(catalogue: Catalogue, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[catalogue.users.vocabulary.encode(rows["user_id"]) >= 0]


@dataclass(frozen=True)
class TrialData:
    """What a trial is trained on and scored by, as arrays.

    Attributes:
        catalogue: users and items that a model has vectors for.
        interactions: training rows, all within the catalogue.
        held_out: rows of the validation split.
        targets: held-out items of its users, and by group of items where such metrics are reported.
    """

    catalogue: Catalogue
    interactions: Interactions
    held_out: HeldOut
    targets: dict[str, EvaluationSet]

    @classmethod
    def of(cls, rows: SearchRows, config: Config) -> "TrialData":
        """Prepare rows.

        Args:
            rows: of all users, or of a share.
            config: sections `evaluate`, `hpo` and `split` count.
        """
        held_out = HeldOut.of(
            rows.catalogue,
            rows.train,
            rows.history,
            rows.validation,
            exclude_seen=config.evaluate.exclude_seen,
        )
        interactions = rows.catalogue.encode(rows.train)
        return cls(rows.catalogue, interactions, held_out, held_out.groups(config))

    @property
    def target(self) -> EvaluationSet:
        """Held-out items of the validation split; empty if there is no such split."""
        return self.held_out.target

    def counts(self) -> dict[str, int]:
        """How large a sample is."""
        rows, users = len(self.interactions), len(self.catalogue.users)
        return {"num_train_rows": rows, "num_train_users": users, "num_users": len(self.target)}
