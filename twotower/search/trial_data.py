"""What trials are trained on and scored by: the rows of all users, or of a share of them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from twotower.common.arrays import BoolArray
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.data.checksums import check_digests
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
        check_digests(folder)
        catalogue = read_catalogue(folder / "vocabulary")
        return cls(catalogue, *(read_split(folder / f"{name}.parquet") for name in names))

    def trained_on(self, share: float, seed: int) -> "SearchRows":
        """Only the training rows of a share of the users, and only these users.

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
        kept = users.take(np.flatnonzero(_drawn(users.vocabulary.ids, share, seed)))
        rows = self.train[kept.vocabulary.encode(self.train["user_id"]) >= 0]
        return replace(self, catalogue=Catalogue(kept, self.catalogue.items), train=rows)

    def scored_by(self, share: float, seed: int) -> "SearchRows":
        """Only the validation rows of a share of the users, and what is known of them.

        They are the users of `trained_on`, as far as users have both kinds of rows.

        Args:
            share: in (0, 1]; 1: all.
            seed: of params.yaml.
        """
        if share == 1:
            return self
        ids = pd.Index(self.validation["user_id"].unique())
        kept = ids[_drawn(ids, share, seed)]
        history, validation = (
            rows[kept.get_indexer(pd.Index(rows["user_id"])) >= 0]
            for rows in (self.history, self.validation)
        )
        return replace(self, history=history, validation=validation)


def _drawn(ids: pd.Index, share: float, seed: int) -> BoolArray:
    """[len(ids)] whether a user is among the share."""
    draws = (derive_seed(seed, "search", user) for user in ids.tolist())
    drawn: BoolArray = np.fromiter(draws, np.int64, len(ids)) < share * 2**32
    return drawn


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
    def of(cls, rows: SearchRows, config: Config, whole: "TrialData | None" = None) -> "TrialData":
        """Prepare rows.

        Args:
            rows: of all users, or of a share.
            config: sections `evaluate`, `hpo` and `split` count.
            whole: of all users, which says which items are cold; None: these are all.
        """
        held_out = HeldOut.of(
            rows.catalogue,
            rows.train,
            rows.history,
            rows.validation,
            exclude_seen=config.evaluate.exclude_seen,
        )
        counts = (whole.held_out if whole else held_out).item_counts
        targets = replace(held_out, item_counts=counts).groups(config)
        return cls(rows.catalogue, rows.catalogue.encode(rows.train), held_out, targets)

    @property
    def target(self) -> EvaluationSet:
        """Held-out items of the validation split; empty if there is no such split."""
        return self.held_out.target

    def counts(self) -> dict[str, int]:
        """How much there is to train on."""
        return {
            "num_train_rows": len(self.interactions),
            "num_train_users": len(self.catalogue.users),
        }
