"""Stage refit beside what it cannot do without: the trainings, and a ranking for each.

Of a shop where both what users do and how popular items are have long tails. The baselines are
apart: each beside its own bare products and as many rankings as it takes to choose its setting.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_array

from benchmarks.measured import Line, Scale, timed
from benchmarks.project import project, run_stage
from twotower.artifacts import ARTIFACTS
from twotower.baselines.baseline import BASELINES, DECAYS, EASE_GRID, Baseline, wanted_baselines
from twotower.baselines.ease import FLOAT64_SIZE
from twotower.baselines.ease_plan import Size, ease_plan
from twotower.baselines.histories import histories
from twotower.baselines.item_knn import BLOCK_ITEMS
from twotower.baselines.plan import SAMPLE_USERS
from twotower.common.progress import Step, Steps, step, watched
from twotower.config import Config, load_config
from twotower.config.refit import BaselineBudget
from twotower.data.prepared import PREPARED, read_catalogue, read_parts
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import HeldOut
from twotower.refit import RefitOutputs, refit
from twotower.training.device import use_threads
from twotower.training.fit import fit

ROWS: dict[Scale, int] = {"quick": 10**5, "full": 10**6}
ROWS_OF_A_USER, ROWS_OF_AN_ITEM, YEAR = 20, 50, 365 * 24 * 3600
BEST = {"init": "random", "dim": 32, "lr": 0.005, "epochs": 3}
"""What a search has found; few epochs, as more would hide what is not training."""
SETTINGS = {"train.epochs": 3, "train.threads": 1}
AIM, BASELINE_AIM = 3.0, 3.0


def lines(scale: Scale) -> Iterator[Line]:
    """The stage without the baselines, then each of them."""
    rows = ROWS[scale]
    with tempfile.TemporaryDirectory() as name:
        folder = project(Path(name), write_shop(Path(name) / "shop", rows), SETTINGS)
        run_stage("prepare", folder)
        config = load_config(folder / "params.yaml")
        use_threads(1)
        clock = _Clock()
        outputs = RefitOutputs(folder / ARTIFACTS, folder / "metrics" / "test.json")
        with watched(clock), step("refit"):
            refit(config, {"best_params": BEST}, folder / PREPARED, outputs)
        bare = _Bare.of(config, folder / PREPARED)
    size = f"10^{len(str(rows)) - 1} rows"
    ours = clock.seconds["refit"] - sum(clock.seconds.get(name, 0.0) for name in BASELINES)
    trainings = f"{config.refit.seeds + 1} trainings and a ranking for each"
    yield Line(f"refit without baselines, {size}", "CPU s", AIM, ours, bare.models, trainings)
    for row in wanted_baselines(()):
        limit, against = bare.baseline(row)
        taken = clock.seconds[row.name]
        yield Line(f"baseline {row.name}, {size}", "CPU s", BASELINE_AIM, taken, limit, against)


def write_shop(folder: Path, rows: int) -> Path:
    """Write interactions.csv: half of what users do is among the items of their taste."""
    rng = np.random.default_rng(0)
    num_users, num_items, tastes = rows // ROWS_OF_A_USER, rows // ROWS_OF_AN_ITEM, 50
    activity, popularity = rng.pareto(1.5, num_users) + 0.3, np.arange(1, num_items + 1) ** -0.8
    users = rng.choice(num_users, rows, p=activity / activity.sum())
    items = rng.choice(num_items, rows, p=popularity / popularity.sum())
    shift = (users - items) % tastes
    items = np.where(rng.random(rows) < 0.5, items, (items + shift) % num_items)
    times = 1_700_000_000 + rng.integers(0, YEAR, rows)
    folder.mkdir()
    shop = pd.DataFrame({"user_id": users, "item_id": items, "timestamp": times})
    shop.to_csv(folder / "interactions.csv", index=False)
    return folder


class _Clock(Steps):
    """CPU seconds of each step, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._begun: dict[int, float] = {}

    def begin(self, one: Step) -> Step:
        self._begun[id(one)] = time.process_time()
        return super().begin(one)

    def end(self, one: Step) -> None:
        taken = time.process_time() - self._begun.pop(id(one))
        self.seconds[one.name] = self.seconds.get(one.name, 0.0) + taken
        super().end(one)


@dataclass(frozen=True)
class _Bare:
    """What cannot be done without, in CPU seconds.

    Attributes:
        known: [num_users, num_items] the histories.
        models: trainings, and a ranking of the test users for each.
        ranking: one ranking of the test users by a model.
        choosing: users who choose settings, as a multiple of the test users.
    """

    known: csr_array
    models: float
    ranking: float
    choosing: float

    @classmethod
    def of(cls, config: Config, prepared: Path) -> "_Bare":
        """Train and rank as the stage does."""
        parts = read_parts(prepared)
        rows = pd.concat([parts["train"], parts["validation"]], ignore_index=True)
        catalogue = read_catalogue(prepared / "vocabulary").extend(rows)
        history, test = parts["test_history"], parts["test"]
        held_out = HeldOut.of(catalogue, rows, history, test, exclude_seen=True)
        encoded, models, ranking = catalogue.encode(rows), 0.0, 0.0
        for params, times in ((BEST, config.refit.seeds), ({}, 1)):
            model_config, train_config = config.search_space.sections(params)
            begun = time.process_time()
            model = fit(catalogue, encoded, model_config, train_config, seed=config.seed)
            trained = time.process_time()
            scorer = held_out.scorer(model, model_config)
            evaluate(scorer, held_out.target, config.evaluate.ks)
            ranking = time.process_time() - trained
            models += times * (trained - begun + ranking)
        known = histories(encoded, len(catalogue.users), len(catalogue.items))
        choosing = min(SAMPLE_USERS, parts["validation"]["user_id"].nunique())
        return cls(known, models, ranking, choosing / len(held_out.target))

    def baseline(self, row: Baseline) -> tuple[float, str]:
        """Its bare products and rankings, and what they are."""
        products = {"item_knn": self._overlaps, "ease": self._inverses}.get(row.name)
        decays = 1 if products is None else 1 + len(DECAYS)
        tried = len(row.grid) * decays if len(row.grid) > 1 else 0
        rankings = self.ranking * (1 + tried * self.choosing)
        if products is None:
            return rankings, f"{tried + 1} rankings"
        taken, what = products()
        return taken + rankings, f"{what}, {tried + 1} rankings"

    def _overlaps(self) -> tuple[float, str]:
        """The co-occurrences of items, for the choice and for the final fit."""
        by_item = self.known.T.tocsr()
        starts = range(0, by_item.shape[0], BLOCK_ITEMS)
        taken = timed(lambda: [by_item[at : at + BLOCK_ITEMS] @ self.known for at in starts])
        return 2 * taken.cpu, "2 products of SciPy"

    def _inverses(self) -> tuple[float, str]:
        """Of matrices as large as those of the choice and the final fit, by Cholesky."""
        users, items = self.known.shape
        size = Size(users, items, self.known.nnz)
        plan = ease_plan(size, size, len(EASE_GRID), len(DECAYS), BaselineBudget())
        chosen = size if plan.sample_users is None else size.sample()
        choice, final = (inverse_seconds(one.matrix) for one in (chosen, size))
        return len(EASE_GRID) * choice + final, f"{len(EASE_GRID) + 1} inverses of PyTorch"


def inverse_seconds(size: int) -> float:
    """Of a positive definite matrix, as wide as EASE has it."""
    matrix = torch.eye(size, dtype=torch.float64 if size <= FLOAT64_SIZE else torch.float32)
    return timed(lambda: torch.cholesky_inverse(torch.linalg.cholesky(matrix))).cpu
