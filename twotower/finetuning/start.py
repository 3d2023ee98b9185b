"""The model that a run continues from, opened: what refit trains from and compares with."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twotower.artifacts import META, Artifacts, load_artifacts
from twotower.assessment.comparison import beats
from twotower.assessment.scoreboard import Scoreboard
from twotower.common.arrays import UInt64Array
from twotower.common.errors import ConfigError, TwoTowerError
from twotower.common.files import sha256_file
from twotower.common.scorers import MODEL as FINETUNED
from twotower.common.seeds import derive_seed
from twotower.config.training_choices import STARTS
from twotower.data.prepared import Catalogue
from twotower.evaluation.ranking import Scorer
from twotower.finetuning.alignment import align
from twotower.finetuning.carry_over import Carried, carry_over
from twotower.finetuning.drift import Vectors, drift
from twotower.finetuning.record import MODEL, RECORD, RESET, START, StartRecord, read_record
from twotower.registry.training_rows import (
    FILE,
    count_trained_on,
    read_training_rows,
    row_hashes,
)
from twotower.training.starts import StartInputs
from twotower.training.towers import TwoTower


@dataclass(frozen=True)
class StartModel:
    """A model to continue from.

    Attributes:
        record: what start.json says of it.
        artifacts: its folder.
        trained_on: ascending hashes of its training rows.
    """

    record: StartRecord
    artifacts: Artifacts
    trained_on: UInt64Array

    @classmethod
    def open(cls, folder: Path = START) -> "StartModel | None":
        """The model of data/start_model; None: there is none.

        Raises:
            ConfigError: if its files are missing, damaged or another model's.
        """
        record = read_record(folder)
        if record is None:
            return None
        path = folder / MODEL
        try:
            artifacts = load_artifacts(path)
            artifacts.check_rest()
            rows = read_training_rows(path / FILE, int(artifacts.item_counts.sum()))
            digests = sha256_file(path / META), sha256_file(path / FILE)
        except (TwoTowerError, OSError):
            digests = "", ""
        if digests != (record.model, record.training_rows):
            msg = (
                f"{path}: is missing, damaged, or not the model that {folder / RECORD} names; dvc "
                f"pull --force brings it, and without it models are trained anew: {RESET}"
            )
            raise ConfigError(msg)
        return cls(record, artifacts, rows)

    @property
    def trains(self) -> bool:
        """Whether its weights are trained on, rather than a closed form being computed anew."""
        return self.record.epochs > 0

    def check_unseen(self, splits: Mapping[str, pd.DataFrame]) -> None:
        """Refuse test rows that the start model was trained on.

        Raises:
            ConfigError: with their number.
        """
        others = pd.concat([splits[name] for name in splits if name != "test"])
        allowed = np.sort(row_hashes(others))
        if count := count_trained_on(splits["test"], self.trained_on, allowed):
            msg = (
                f"{count:,} of {len(splits['test']):,} test rows are in the training data of the "
                "start model, so a model that continues from it cannot be scored on them; bring "
                f"newer data, or train anew: {RESET}"
            )
            raise ConfigError(msg)

    def begin(self, catalogue: Catalogue) -> Callable[[TwoTower, StartInputs], None]:
        """The start of a model with these users and items, as `fit` takes it.

        A closed form is computed as always, and turned to the earlier vectors; then, if training
        goes on, all that the earlier model has replaces what was computed.
        """

        def start(model: TwoTower, inputs: StartInputs) -> None:
            init = STARTS[inputs.config.init]
            init.function(model, inputs)
            if init.is_model:
                self.align(model, catalogue)
            if self.trains:
                carry_over(model, self.artifacts.towers, catalogue, self.artifacts.catalogue)

        return start

    def align(self, model: TwoTower, catalogue: Catalogue) -> None:
        """Turn a model to the earlier vectors of the items that both have."""
        both = self._items(catalogue)
        trained = self.artifacts.item_counts[both.old.numpy()] > 0
        width = model.item_tower.dim
        _, items = model.eval().vectors()  # without dropout
        align(
            model,
            items[both.new.numpy()[trained], :width],
            self.artifacts.item_vecs[both.old.numpy()[trained], :width],
        )

    def drift(self, model: TwoTower, catalogue: Catalogue, *, seed: int) -> dict[str, Any]:
        """How far the vectors of known items have moved, see `Drift`."""
        both = self._items(catalogue)
        users, items = model.vectors()
        earlier = np.zeros_like(items)
        earlier[both.new.numpy()] = self.artifacts.item_vecs[both.old.numpy()]
        known = np.zeros(len(items), dtype=bool)
        known[both.new.numpy()] = True
        removed = len(self.artifacts.item_vecs) - len(both.old)
        vectors = Vectors(users, items, earlier, known, removed)
        return drift(vectors, seed=derive_seed(seed, "drift")).values()

    def _items(self, catalogue: Catalogue) -> Carried:
        return Carried.of(self.artifacts.catalogue.items, catalogue.items)


def against_anew(board: Scoreboard, anew: Scorer, *, seed: int) -> dict[str, Any]:
    """The finetuned model against one trained anew, with the same hyperparameters, user by user.

    Args:
        board: with the finetuned model's evaluation.
        anew: the other, trained on the same rows; it is no baseline of the verdict.
        seed: the seed of params.yaml.
    """
    metric = board.objective
    finetuned, other = (
        each.per_user[metric] for each in (board.evaluations[FINETUNED], board.evaluate(anew))
    )
    draws = derive_seed(seed, "verdict", "draws")
    paired = beats(finetuned, other, seed=draws, clusters=board.clusters)
    means = {"finetuned": float(finetuned.mean()), "anew": float(other.mean())}
    return {"metric": metric, **means, **asdict(paired)}
