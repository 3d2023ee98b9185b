"""From scored models to the files that refit leaves in metrics/."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twotower.assessment.by_metric import by_metric
from twotower.assessment.encoded_splits import EncodedSplits
from twotower.assessment.gap import gap
from twotower.assessment.intervals import intervals
from twotower.assessment.per_user import PerUser, evaluated_digests, per_user_table, write_per_user
from twotower.assessment.scoreboard import Scoreboard
from twotower.assessment.slices import popularity_bias, slices
from twotower.assessment.verdict import ALPHA, BEATS, MODEL, Verdict, verdict
from twotower.common.files import write_json
from twotower.data.prepared import Catalogue

LATER_SHARE = 0.1
"""Share of training rows later than the average test event above which a cutoff is advised."""


@dataclass(frozen=True)
class Assessment:
    """What the test split says, as the content of each file.

    Attributes:
        metrics: mean metrics of every scorer; the file that `dvc metrics diff` compares.
        intervals: how sure they are.
        verdict: what may be said, each comparison, and the gap to validation.
        slices: for whom, and for what.
        per_user: every user's metrics.
        counts: users and items that the metrics stand on; None if nothing was scored.
    """

    metrics: dict[str, Any]
    intervals: dict[str, Any]
    verdict: dict[str, Any]
    slices: dict[str, Any]
    per_user: PerUser
    counts: dict[str, int] | None = None

    def write(self, metrics: Path) -> None:
        """Write test.json to `metrics` and the other files beside it."""
        folder = metrics.parent
        write_json(metrics, self.metrics)
        write_json(folder / "intervals.json", self.intervals)
        write_json(folder / "verdict.json", self.verdict)
        write_json(folder / "slices.json", self.slices)
        write_per_user(folder / "per_user.parquet", self.per_user)


def unscored(reason: str, catalogue: Catalogue) -> Assessment:
    """The files of a model that was not scored: nothing in them but that, and why."""
    nobody = PerUser(pd.Series(catalogue.users.vocabulary.ids[:0]), np.empty(0, np.int64))
    nothing = {"scored": False}
    said = {**nothing, "reason": reason, "verdict": None}
    return Assessment(nothing, nothing, said, nothing, nobody)


def assess(
    board: Scoreboard,
    rows: EncodedSplits,
    catalogue: Catalogue,
    held_out: pd.DataFrame,
    search: Mapping[str, Any],
    *,
    seed: int,
) -> Assessment:
    """Everything that is said of the test split.

    Args:
        board: with the optimized model, its seeds, and the references.
        rows: of all splits.
        catalogue: that they are encoded by.
        held_out: the test split.
        search: content of hpo_results.json.
        seed: the seed of params.yaml.
    """
    target = board.task.target
    digests = evaluated_digests(catalogue, target, held_out)
    later = rows.later_share()
    return Assessment(
        metrics={**board.sections(), "evaluated": {**target.counts(), **digests}, "scored": True},
        intervals=intervals(board, seed),
        verdict=_verdict(board, seed) | {"gap": gap(board, search, rows)},
        slices={
            **slices(board, rows, seed),
            "advice": advice(later),
            "later_training_rows_share": later,
            "metrics": by_metric(board, seed),
            "num_users_cold": target.num_users_cold,
            "recommendations": popularity_bias(board, rows),
            "scored": True,
        },
        per_user=per_user_table(catalogue, target, board.all_per_user(), digests),
        counts=target.counts(),
    )


def advice(later_share: float | None) -> str | None:
    """What to do about training rows that are later than what is tested; None if it is little."""
    if later_share is None or later_share <= LATER_SHARE:
        return None
    return (
        f"{later_share:.0%} of the training rows are later than the average test event: the model "
        "knows a future that it would not know in use; consider split.strategy: cutoff"
    )


def _unfitted(found: Verdict, board: Scoreboard) -> str:
    """Which references a claim to beat every one of them does not speak of."""
    missing = ", ".join(sorted(board.failures)) if found.text == BEATS else ""
    return f" (left out: {missing})" if missing else ""


def _verdict(board: Scoreboard, seed: int) -> dict[str, Any]:
    values = board.per_user(board.task.objective)
    itself = values.keys() - {MODEL, *board.rivals()}
    found = verdict(
        {name: v for name, v in values.items() if name not in itself},
        seed=seed,
        over_seeds=board.over_seeds(board.task.objective),
    )
    return {
        "alpha": ALPHA,
        "comparisons": {name: asdict(one) for name, one in found.comparisons.items()},
        "left_out": dict(board.failures) | dict.fromkeys(itself, "the same hyperparameters"),
        "num_users": found.num_users,
        "objective": board.task.objective,
        "reference": found.reference,
        "scored": True,
        "sentence": found.sentence + _unfitted(found, board),
        "users_needed": found.users_needed,
        "verdict": found.text,
    }
