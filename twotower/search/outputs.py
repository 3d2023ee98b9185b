"""The files that a search leaves: results, trials table, validation metrics, study snapshot."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.files import write_csv, write_json
from twotower.config import Config, SearchSpace
from twotower.search.driver import SearchResult
from twotower.search.objective import Objective
from twotower.search.proposals.propose import distributions
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import Trial


@dataclass(frozen=True)
class SearchOutputs:
    """Where the files go; the defaults are those of dvc.yaml."""

    snapshot: Path = Path("hpo_study.db")
    results: Path = Path("hpo_results.json")
    trials: Path = Path("metrics/hpo_trials.csv")
    validation: Path = Path("metrics/validation.json")


def write_outputs(
    outputs: SearchOutputs,
    location: StudyLocation,
    config: Config,
    objective: Objective,
    result: SearchResult,
) -> dict[str, Any]:
    """Write all four files, each whole; the results, which refit reads, come last.

    Returns:
        The content of the results file.
    """
    mixed = any(r.provenance != location.provenance.digest for r in result.records)
    results = summarise(config, objective, result) | {
        "identity": location.identity.digest,
        "provenance": {"mixed": mixed, **location.provenance.values},
    }
    write_snapshot(
        outputs.snapshot,
        config.hpo.study_name,
        result.records,
        distributions(config.hpo.search_space),
        {
            "complete": result.complete,
            "identity": location.identity.digest,
            "identity_values": location.identity.values,
            "provenance": location.provenance.values,
        },
    )
    write_trials(outputs.trials, config, result.records)
    write_json(outputs.validation, validation_metrics(config, objective, result))
    write_json(outputs.results, results)
    return results


def summarise(config: Config, objective: Objective, result: SearchResult) -> dict[str, Any]:
    """What the search found, as plain values."""
    winner = result.winner
    space = config.search_space()
    states = Counter(record.state.lower() for record in result.records)
    results = {
        "best_params": best_params(space, winner),
        "best_trial": _trial(winner) if winner else None,
        "complete": result.complete,
        "data": objective.counts,
        "direction": "maximize",
        "evaluated": objective.target.counts(),
        "fixed": space.fixed,
        "include_defaults": space.starts_with_defaults,
        "lookahead": config.hpo.lookahead,
        "n_trials": len(result.records),
        "num_users": len(objective.target),
        "objective": config.hpo.objective,
        "random": objective.target.random(config.evaluate.ks),
        "pruner": config.hpo.pruner.model_dump(mode="json"),
        "sampler": config.hpo.sampler.model_dump(mode="json"),
        "search_space": {k: v.model_dump(mode="json") for k, v in space.searched.items()},
        "seed": config.seed,
        "split": "validation",
        "states": {state: states[state] for state in ("complete", "fail", "pruned")},
        "study_name": config.hpo.study_name,
    }
    if config.hpo.confirm is not None:
        results["confirm"] = result.confirmed.to_json() if result.confirmed else None
    return results


def best_params(space: SearchSpace, winner: Trial | None) -> dict[str, Any]:
    """The hyperparameters that refit trains with, beside those of `params.yaml`.

    Args:
        space: that was searched.
        winner: the trial that is best; None: the defaults stand.
    """
    params = space.complete(winner.params if winner else space.default_params)
    stop = {"last_epoch": winner.best_epoch} if winner and winner.best_epoch else {}
    return {**params, **stop}


def validation_metrics(
    config: Config, objective: Objective, result: SearchResult
) -> dict[str, Any]:
    """Metrics of the best trial beside those of the defaults and of a random ranking.

    Those of the best trial are its own; means over fresh seeds are beside them where there are any.
    """
    winner = result.winner
    metrics: dict[str, Any] = {
        "evaluated": objective.target.counts(),
        "random": objective.target.random(config.evaluate.ks),
    }
    if winner is not None:
        metrics["optimized"] = winner.metrics
    if result.confirmed is not None:
        metrics["confirmed"] = result.confirmed.chosen.metrics()
    if result.records and config.search_space().starts_with_defaults:
        metrics["default"] = result.records[0].metrics
    return metrics


def write_trials(path: Path, config: Config, records: list[Trial]) -> None:
    """Write the trials table: number, state, value, params_*, metrics_*, best_epoch, failure.

    The cell of a parameter whose condition does not hold is empty; value and metrics of a pruned
    trial are those after its last epoch.
    """
    names = sorted(config.search_space().searched)
    metrics = sorted({name for record in records for name in record.metrics})
    columns = ["number", "state", "value", *(f"params_{name}" for name in names)]
    columns += [*(f"metrics_{name}" for name in metrics), "best_epoch", "failure"]
    write_csv(path, columns, [_row(record) for record in records])


def _trial(record: Trial) -> dict[str, Any]:
    return {
        "best_epoch": record.best_epoch,
        "metrics": record.metrics,
        "number": record.number,
        "params": record.params,
        "value": record.value,
    }


def _row(record: Trial) -> dict[str, Any]:
    return {
        "number": record.number,
        "state": record.state,
        "value": record.value,
        **{f"params_{name}": value for name, value in record.params.items()},
        **{f"metrics_{name}": value for name, value in record.metrics.items()},
        "best_epoch": record.best_epoch,
        "failure": record.failure,
    }
