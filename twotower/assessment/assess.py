"""From a scoreboard to the files that refit leaves in metrics/."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twotower.assessment.bars import COLUMNS, bars
from twotower.assessment.clusters import num_clusters
from twotower.assessment.comparison import ALPHA
from twotower.assessment.gap import gap
from twotower.assessment.intervals import intervals
from twotower.assessment.item_groups import NO_GROUPS, item_groups
from twotower.assessment.per_user import PerUser, evaluated_digests, per_user_table, write_per_user
from twotower.assessment.scoreboard import Scoreboard
from twotower.assessment.slices import slices
from twotower.assessment.verdict import BEATS, TOO_LITTLE, verdict
from twotower.baselines.baseline import BASELINES
from twotower.common.files import write_csv, write_json
from twotower.common.headline import headline, headline_file
from twotower.common.progress import part
from twotower.common.scorers import MODEL
from twotower.data.prepared import Catalogue
from twotower.evaluation.item_groups import split_key

VERDICT_VERSION = 3
"""Format of metrics/verdict.json. Version 1 had no `format_version`, and `baseline` was
`reference`. Version 2 had no `advice`, `worse` and `p_value_worse`, and one verdict, `signal, but
NAME is as good or better`, for what are two now."""

NUM_ASSESSED = 3
"""Parts that `assess` shows."""


@dataclass(frozen=True)
class Assessment:
    """What the test split says of the model: the content of each file.

    Attributes:
        metrics: test.json: mean metrics of every scorer.
        headline: headline/test.json: what `dvc exp show` and `dvc metrics diff` compare.
        bars: baselines.csv: the objective of every scorer, for DVC's plots.
        intervals: intervals.json: how certain the means are.
        verdict: verdict.json: the conclusion, each comparison, and the gap to validation.
        slices: slices.json: the metrics by groups of users and items.
        per_user: per_user.parquet: the metrics of every user.
        counts: numbers of users and items behind the metrics; None if nothing was scored.
        item_groups: item_groups.json: the same scorers on warm and on cold items.
    """

    metrics: dict[str, Any]
    headline: dict[str, Any]
    bars: list[dict[str, Any]]
    intervals: dict[str, Any]
    verdict: dict[str, Any]
    slices: dict[str, Any]
    per_user: PerUser
    counts: dict[str, int] | None = None
    item_groups: dict[str, Any] = field(default_factory=lambda: NO_GROUPS)

    def write(self, metrics: Path) -> None:
        """Write test.json to `metrics` and the other files beside it."""
        folder = metrics.parent
        write_json(metrics, self.metrics)
        write_json(headline_file(metrics), self.headline)
        write_csv(folder / "baselines.csv", COLUMNS, self.bars)
        write_json(folder / "intervals.json", self.intervals)
        write_json(folder / "verdict.json", self.verdict)
        write_json(folder / "slices.json", self.slices)
        write_json(folder / "item_groups.json", self.item_groups)
        write_per_user(folder / "per_user.parquet", self.per_user)


def unscored(reason: str, catalogue: Catalogue) -> Assessment:
    """The assessment of a model without test scores: every file says so, and one says why."""
    no_users = PerUser(pd.Series(catalogue.users.vocabulary.ids[:0]), np.empty(0, np.int64))
    empty = {"scored": False}
    no_verdict = {"format_version": VERDICT_VERSION, "reason": reason, "verdict": None}
    no_headline = headline("test", None, ())
    return Assessment(empty, no_headline, [], empty, empty | no_verdict, empty, no_users)


def assess(
    board: Scoreboard,
    catalogue: Catalogue,
    held_out: pd.DataFrame,
    search: Mapping[str, Any],
    *,
    seed: int,
) -> Assessment:
    """Assess the optimized model by its scores on the test split.

    Args:
        board: with the optimized model, its seeds, and the baselines.
        catalogue: of the users and items of the board's target.
        held_out: the test split.
        search: content of hpo_results.json.
        seed: the seed of params.yaml.
    """
    counts = board.target.counts()
    if board.folded_in is not None:
        counts["num_folded_in_rows"] = len(board.folded_in.interactions)
    digests = evaluated_digests(catalogue, board.target, held_out)
    sections = board.sections()
    with part("intervals"):
        certainty = intervals(board, seed)
    with part("verdict"):
        conclusion = _verdict(board, search, seed) | {"gap": gap(board, search)}
    with part("slices"):
        sliced = slices(board, seed)
    best = sections[board.strongest()][board.objective]
    found, others = sections[MODEL], further_objectives(board, search.get("objectives", []))
    further = {"best_baseline": best, "verdict": conclusion["verdict"]}
    return Assessment(
        metrics={**sections, "evaluated": {**counts, **digests}, "scored": True},
        headline=headline("test", {**found, **others}, [board.objective, *others], **further),
        bars=bars(sections, certainty["intervals"], board.objective),
        intervals=certainty,
        verdict=conclusion,
        slices=sliced,
        per_user=per_user_table(catalogue, board.target, board.per_user(), digests, board.clusters),
        counts=counts,
        item_groups=item_groups(board, seed),
    )


def further_objectives(
    board: Scoreboard, objectives: Sequence[Mapping[str, str]]
) -> dict[str, float]:
    """What the model has of the objectives after the first, as far as the board measures them.

    One of warm or of cold items has its value among these items; one of all items has none where
    the board is of a group.

    Args:
        board: of the items that the first objective is of, with its groups.
        objectives: key of hpo_results.json.
    """
    keys = [split_key(one["metric"]) for one in objectives]
    parts = {keys[0][1].name: board, **board.groups} if keys else {}
    return {
        metric + group.suffix: parts[group.name].evaluations[MODEL].summary()[metric]
        for metric, group in keys[1:]
        if group.name in parts
    }


def _verdict(board: Scoreboard, search: Mapping[str, Any], seed: int) -> dict[str, Any]:
    values = board.objective_per_user()
    compared = {MODEL, *board.rivals()}
    strong = [name for name, row in BASELINES.items() if row.strong]
    conclusion = verdict(
        {name: values[name] for name in compared},
        seed=seed,
        over_seeds=board.mean_over_seeds(),
        left_out={name: board.failures[name] for name in strong if name in board.failures},
        clusters=board.clusters,
    )
    skipped = ", ".join(sorted(board.failures)) if conclusion.text == BEATS else ""
    same = dict.fromkeys(values.keys() - compared, "same hyperparameters as the optimized model")
    # Where it is the data that do not suffice, no search will do.
    searchable = conclusion.baseline is not None and conclusion.text != TOO_LITTLE
    return {
        "advice": list(search.get("advice", [])) if searchable else [],
        "alpha": ALPHA,
        "baseline": conclusion.baseline,
        "comparisons": {name: asdict(one) for name, one in conclusion.comparisons.items()},
        "format_version": VERDICT_VERSION,
        "left_out": board.failures | same,
        **({} if board.clusters is None else {"num_clusters": num_clusters(board.clusters)}),
        "num_users": conclusion.num_users,
        "objective": board.objective,
        "scored": True,
        "sentence": conclusion.sentence + (f" (skipped: {skipped})" if skipped else ""),
        "users_needed": conclusion.users_needed,
        "verdict": conclusion.text,
    }
