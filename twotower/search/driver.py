"""Runs a search: proposes, evaluates and keeps trials until the study holds enough of them."""

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from twotower.common.errors import SearchError, TwoTowerError
from twotower.common.files import round_float
from twotower.config import Config
from twotower.config.load import hyperparameters
from twotower.search.objective import Outcome
from twotower.search.propose import propose
from twotower.search.study import LiveStudy
from twotower.search.trial import Params, TrialRecord

Evaluate = Callable[[Params], Outcome]
OnTrial = Callable[[TrialRecord], None]


@dataclass(frozen=True)
class SearchResult:
    """A study as far as it was asked for.

    Attributes:
        records: trials 0..n-1, by number.
        complete: whether all trials that were asked for are there.
    """

    records: list[TrialRecord]
    complete: bool


def search(
    config: Config,
    study: LiveStudy,
    objective: Evaluate,
    provenance: str,
    on_trial: OnTrial,
) -> SearchResult:
    """Fill the study up to `hpo.n_trials` trials.

    Args:
        config: sections `hpo`, `model`, `train` and the seed.
        study: finished trials; grows.
        objective: trains and scores one set of hyperparameters.
        provenance: digest that new trials carry.
        on_trial: told of each new trial once it is on disk.

    Raises:
        SearchError: if every trial failed.
    """
    deadline = time.monotonic() + (config.hpo.timeout or float("inf"))
    defaults = hyperparameters(config.model, config.train)
    for number in range(config.hpo.n_trials):
        if number in study.records:
            continue
        if study.records and time.monotonic() >= deadline:
            break  # however small the budget, one trial is better than an error
        params = propose(number, study.records, config.hpo, config.seed, defaults)
        record = run_trial(number, params, objective, config.hpo.objective, provenance)
        study.add(record)
        on_trial(record)
    return _result(study, config.hpo.n_trials)


def run_trial(
    number: int, params: Params, objective: Evaluate, metric: str, provenance: str
) -> TrialRecord:
    """Evaluate one set of hyperparameters; an error of the objective makes it a failed trial.

    Raises:
        MemoryError: as it says nothing about the hyperparameters, it fails no trial.
    """
    started = _now()
    outcome, failure = None, None
    try:
        outcome = objective(params)
    except MemoryError:
        raise
    except TwoTowerError as error:
        failure = str(error)
    except Exception as error:  # a bug in one corner of the space; the rest is still worth trying
        traceback.print_exc(file=sys.stderr)
        failure = f"{type(error).__name__}: {error}"
    return TrialRecord(
        number=number,
        state="COMPLETE" if outcome else "FAIL",
        params=params,
        provenance=provenance,
        value=round_float(outcome.metrics[metric]) if outcome else None,
        metrics=outcome.metrics if outcome else {},
        losses=outcome.losses if outcome else [],
        failure=failure,
        started=started,
        finished=_now(),
    )


def _now() -> int:
    return round(time.time() * 1000)


def _result(study: LiveStudy, n_trials: int) -> SearchResult:
    records: list[TrialRecord] = []
    while len(records) < n_trials and len(records) in study.records:
        records.append(study.records[len(records)])
    if not any(record.value is not None for record in records):
        reason = records[0].failure if records else "the time budget left none"
        msg = f"none of {len(records)} trials completed; trial 0: {reason}"
        raise SearchError(msg)
    return SearchResult(records, complete=len(records) == n_trials)
