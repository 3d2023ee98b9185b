"""A model that continues from the last one, beside models trained anew: time, quality, drift.

    python -m benchmarks.finetune sample|shop [--epochs 1 2 3]

The start model is trained on all but the last month of a year. Then that month's rows come: one
model is trained anew, and others continue from the start model for a few epochs. All are scored on
the test split of the whole year; differences are those of the same users, with 90 % intervals. The
closed form (init: ridge) is computed anew, and turned. Times are CPU seconds of `fit` alone.
`shop` is an invented one of 8,000 users.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.markdown import table
from benchmarks.project import SAMPLE
from benchmarks.shops import Shop, write_shop
from twotower.artifacts import load_artifacts, write_artifacts
from twotower.assessment.comparison import beats
from twotower.common.arrays import Float64Array
from twotower.config import Config
from twotower.config.hyperparameters import hyperparameters, replace_both
from twotower.config.params import config_with
from twotower.data.prepared import Catalogue, read_catalogue, read_parts
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.ranking import VectorScorer
from twotower.finetuning.drift import TOLERANCES
from twotower.finetuning.record import StartRecord
from twotower.finetuning.start import StartModel
from twotower.ingest import prepare
from twotower.registry.training_rows import row_hashes
from twotower.training.device import use_threads
from twotower.training.fit import fit
from twotower.training.towers import TwoTower

LARGE = Shop("large", "of 8,000 users", 8_000, 3_000, 12.0, 30, 8, 0.05, changing=0.5, told=0.7)
LAST_MONTH = "2025-12-01"
METRICS = ("recall_at_10", "ndcg_at_10")
TRAINED: dict[str, dict[str, Any]] = {
    "sample": {"user_tower": "history", "dim": 32, "batch_size": 128, "lr": 0.006, "epochs": 5},
    "shop": {"user_tower": "history", "dim": 32, "batch_size": 512, "lr": 0.003, "epochs": 6},
}
CLOSED: dict[str, Any] = {
    "init": "ridge",
    "dim": 256,
    "similarity": "dot",
    "user_tower": "history",
    "epochs": 0,
    "user_exponent": 0.25,
    "item_exponent": 0.25,
    "weight_exponent": 0.0,
    "ridge_penalty": 3.0,
}
HEAD = (
    *("model", "CPU seconds", "Recall@10", "difference", "NDCG@10", "difference"),
    *("cosine", "5 %", "nearest that stay", "moved > 20 %", "ten best that stay", "Recall@10 then"),
)


@dataclass(frozen=True)
class Data:
    """Prepared data, and what is measured on it."""

    config: Config
    catalogue: Catalogue
    rows: pd.DataFrame
    held_out: HeldOut

    @classmethod
    def prepared(cls, raw: Path, folder: Path) -> "Data":
        """The raw files, prepared as params.yaml says."""
        config = config_with({"data.root": str(raw)}, "benchmark")
        prepare(config, folder, folder.with_suffix(".json"))
        splits = read_parts(folder)
        training = [splits["train"], splits["validation"]]
        catalogue = read_catalogue(folder / "vocabulary").extend(*training)
        rows = pd.concat(training, ignore_index=True)
        held_out = HeldOut.of(
            catalogue, rows, splits["test_history"], splits["test"], exclude_seen=True
        )
        return cls(config, catalogue, rows, held_out)

    def fit(
        self, params: dict[str, Any], start: StartModel | None = None
    ) -> tuple[TwoTower, float]:
        """A model, and the CPU seconds that it took."""
        model_config, train_config = self._sections(params)
        rows = self.catalogue.encode(self.rows)
        begin = start.begin(self.catalogue) if start else None
        begun = process_time()
        model = fit(self.catalogue, rows, model_config, train_config, seed=42, begin=begin)
        return model, process_time() - begun

    def scores(self, model: TwoTower, params: dict[str, Any]) -> dict[str, Float64Array]:
        """The metrics of each test user."""
        scorer = self.held_out.scorer(model, self._sections(params)[0])
        return evaluate(scorer, self.held_out.target, self.config.evaluate.ks).per_user

    def moved(self, model: TwoTower, start: StartModel) -> list[str]:
        """Cells of the drift, and Recall@10 with earlier vectors where they moved little."""
        users, items = model.vectors()
        drift = start.drift(model, self.catalogue, seed=42)
        known = start.artifacts.item_ids.encode(self.catalogue.items.vocabulary.ids.tolist())
        earlier = start.artifacts.item_vecs[known]
        distance = np.linalg.norm(items - earlier, axis=1) / np.linalg.norm(earlier, axis=1)
        kept = (known >= 0) & (distance <= TOLERANCES[-1])
        scorer = VectorScorer(users, np.where(kept[:, np.newaxis], earlier, items))
        found = evaluate(scorer, self.held_out.target, self.config.evaluate.ks)
        return [
            f"{drift['cosine_median']:.3f}",
            f"{drift['cosine_low']:.3f}",
            f"{drift['neighbours_at_10']:.0%}",
            f"{drift['stale'][-1]['written']:,} of {len(items):,}",
            f"{drift['stale'][-1]['same_at_10']:.1%}",
            f"{found.per_user['recall_at_10'].mean():.4f}",
        ]

    def start(self, model: TwoTower, params: dict[str, Any], folder: Path) -> StartModel:
        """A model as one to continue from."""
        model_config, train_config = self._sections(params)
        meta = {"model": model_config.model_dump(mode="json")}
        write_artifacts(folder, model, self.catalogue, self.catalogue.encode(self.rows), meta)
        values = hyperparameters(model_config, train_config)
        record = StartRecord("", "", None, train_config.epochs, values)
        return StartModel(record, load_artifacts(folder), np.sort(row_hashes(self.rows)))

    def _sections(self, params: dict[str, Any]) -> Any:
        return replace_both(self.config.model, self.config.train, params, "benchmark")


def raw_files(name: str, folder: Path) -> tuple[Path, Path]:
    """Folders of the raw files without the last month, and with it."""
    whole = SAMPLE
    if name == "shop":
        whole = folder / "whole"
        write_shop(LARGE, whole)
    before = folder / "before"
    before.mkdir()
    for path in whole.glob("*.csv"):
        frame = pd.read_csv(path, dtype=str)
        if "timestamp" in frame:
            frame = frame[frame["timestamp"] < LAST_MONTH]
        frame.to_csv(before / path.name, index=False)
    return before, whole


def rows(
    before: Data, after: Data, params: dict[str, Any], epochs: Sequence[int], folder: Path
) -> Iterator[list[str]]:
    """Rows of the table, of one kind of model."""
    start = before.start(before.fit(params)[0], params, folder)
    anew, seconds = after.fit(params)
    reference = after.scores(anew, params)
    label = "closed form" if not params["epochs"] else f"{params['epochs']} epochs"
    yield _row(f"anew, {label}", seconds, reference, None, after.moved(anew, start))
    start.align(anew, after.catalogue)
    scores = after.scores(anew, params)
    yield _row("the same, turned", seconds, scores, reference, after.moved(anew, start))
    if not params["epochs"]:
        return
    falling = {**params, "schedule": "linear"}
    other, seconds = after.fit(falling)
    start.align(other, after.catalogue)
    scores = after.scores(other, falling)
    yield _row("anew, falling rate, turned", seconds, scores, reference, after.moved(other, start))
    for number in epochs:
        going = replace(start, record=replace(start.record, epochs=number))
        values = going.record.finetuned
        model, seconds = after.fit(values, going)
        going.align(model, after.catalogue)
        name = f"finetuned, {number} epoch{'s' * (number > 1)}"
        yield _row(name, seconds, after.scores(model, values), reference, after.moved(model, going))


def _row(
    name: str,
    seconds: float,
    scores: dict[str, Float64Array],
    reference: dict[str, Float64Array] | None,
    moved: list[str],
) -> list[str]:
    cells = [name, f"{seconds:.1f}"]
    for metric in METRICS:
        cells.append(f"{scores[metric].mean():.4f}")
        found = None if reference is None else beats(scores[metric], reference[metric], seed=42)
        cells.append(
            f"{found.difference:+.4f} [{found.lower_bound:+.4f}, {found.upper_bound:+.4f}]"
            if found
            else ""
        )
    return [*cells, *moved]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=list(TRAINED))
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    use_threads(1)
    with tempfile.TemporaryDirectory(prefix="finetune-") as temporary:
        folder = Path(temporary)
        raw = raw_files(options.data, folder)
        before, after = (Data.prepared(one, folder / f"p{n}") for n, one in enumerate(raw))
        print(f"{len(before.rows):,} training rows, then {len(after.rows):,}; "
              f"{len(after.catalogue.users):,} users, {len(after.catalogue.items):,} items, "
              f"{len(after.held_out.target):,} of the users tested\n")  # fmt: skip
        found = [
            row
            for n, params in enumerate((TRAINED[options.data], CLOSED))
            for row in rows(before, after, params, options.epochs, folder / f"model{n}")
        ]
    print(table(HEAD, found))


if __name__ == "__main__":
    main()
