"""A whole backtest: every fold, then what they say together."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twotower.assessment.comparison import ALPHA
from twotower.assessment.intervals import LEVEL
from twotower.backtest.comparisons import fold_rows, gains
from twotower.backtest.fold_data import fold_config, read_events
from twotower.backtest.fold_run import FoldRun, run_fold
from twotower.backtest.periods import Fold, moment_text, period_text
from twotower.backtest.scores import FoldScores, collect_scores
from twotower.common.errors import DataError
from twotower.common.paths import live_folder
from twotower.common.progress import say, step
from twotower.common.scorers import MODEL
from twotower.config import Config
from twotower.evaluation.item_groups import assessed_as
from twotower.ingest.prepare import Loaded
from twotower.search.time_left import in_words
from twotower.training.device import use_threads

FORMAT_VERSION = 1
"""Of backtest.json; raise it when a key is renamed or changes its meaning."""


def backtest(config: Config, every: int, count: int, root: Path) -> dict[str, Any]:
    """Search, refit and score every fold, and compare.

    Args:
        config: of the project.
        every: length of a period, in seconds.
        count: number of folds.
        root: repository that keeps the folds, below `.hpo/backtest`.

    Returns:
        The content of backtest.json; the same for the same data, parameters and code, however often
        the run was interrupted.

    Raises:
        DataError: if the raw files break a rule, have no times, or no fold can be scored.
        ConfigError: if the data is too short for the folds, or `hpo.objective` is of cold items.
        SearchError: if no trial of a search completes.
    """
    cache = live_folder(root) / "backtest"
    within = fold_config(config)
    use_threads(config.train.threads)
    loaded, folds = read_events(config, every, count, cache)
    runs = list(_run_all(loaded, folds, within, cache))
    if all(run.reason for run in runs):
        msg = f"none of {count:,} folds can be scored; fold 1: {runs[0].reason}"
        raise DataError(msg)
    with step("scoring older models and comparing"):
        scores = collect_scores(runs, within)
        return _content(config, every, runs, scores, _cluster_names(loaded))


def _run_all(
    loaded: Loaded, folds: Sequence[Fold], config: Config, cache: Path
) -> Iterator[FoldRun]:
    begun = time.monotonic()
    with step("folds", len(folds)) as advance:
        for done, fold in enumerate(folds, 1):
            run = run_fold(loaded, fold, config, cache)
            advance(1)
            left = (time.monotonic() - begun) / done * (len(folds) - done)
            soon = f"; {in_words(left)} left" if done < len(folds) and left > 1 else ""
            period = period_text(moment_text(fold.start), moment_text(fold.end))
            say(f"fold {done}/{len(folds)}, {period}: {_said_of(run)}{soon}")
            yield run


def _said_of(run: FoldRun) -> str:
    """Score and verdict, or why there is none."""
    if run.reason:
        return f"left out: {run.reason}"
    verdict, users = run.content["verdict"], run.content["counts"]["num_users"]
    value = run.per_user.metrics[MODEL][verdict["objective"]].mean()
    return f"{verdict['objective']} {value:.4f} of {users:,} users, {verdict['verdict']}"


def _cluster_names(loaded: Loaded) -> Mapping[Any, str] | None:
    """By user, what its cluster is called; None without `evaluate.cluster`."""
    users = loaded.kept["users"]
    if users is None or users.clusters is None:
        return None
    named = zip(users.column.to_pylist(), users.clusters.to_pylist(), strict=True)
    return {user: name for user, name in named if name is not None}


def _content(
    config: Config,
    every: int,
    runs: Sequence[FoldRun],
    scores: Sequence[FoldScores],
    clusters: Mapping[Any, str] | None,
) -> dict[str, Any]:
    metric, _ = assessed_as(config.hpo.objective)
    texts = [run.content["verdict"]["verdict"] for run in runs if not run.reason]
    return {
        "alpha": ALPHA,
        "every_seconds": every,
        "folds": [_fold(run) for run in runs],
        "format_version": FORMAT_VERSION,
        "gains": {k: asdict(gain) for k, gain in gains(scores, clusters, config.seed).items()},
        "level": LEVEL,
        "n_trials": config.hpo.n_trials,
        "objective": metric,
        "scores": [row for fold in scores for row in fold_rows(fold, config.seed)],
        "verdicts": dict(sorted(Counter(texts).items())),
    }


def _fold(run: FoldRun) -> dict[str, Any]:
    """What there is to say of a fold besides its scores."""
    fold = run.fold
    period = {"from": moment_text(fold.start), "number": fold.number, "to": moment_text(fold.end)}
    if run.reason:
        return period | {"reason": run.reason}
    verdict = run.content["verdict"]
    return {
        **period,
        "best_params": run.content["best_params"],
        "evaluated": run.content["counts"],
        "reason": None,
        "rows": run.content["rows"],
        "sentence": verdict["sentence"],
        "verdict": verdict["verdict"],
    }
