"""The files that a search leaves: results, tables of trials and epochs, metrics, study snapshot."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.files import sealed, write_csv, write_json
from twotower.common.headline import headline, headline_file
from twotower.common.scorers import DEFAULT, MODEL, RANDOM
from twotower.config import Config, SearchSpace
from twotower.search.advice import advise
from twotower.search.driver import SearchResult
from twotower.search.objective import Objective
from twotower.search.store.dashboard import StudyCard
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import RESULTS_VERSION, Trial, distributions

BEST_TRIAL = ("best_epoch", "metrics", "number", "params", "value")
LISTED = ("failure", "number", "params", "state", "value")
"""Of every trial, for the plots; its metrics are in the trials table."""
CURVES = ["trial", "state", "epoch", "loss", "value"]
"""Columns of the learning curves."""


@dataclass(frozen=True)
class SearchOutputs:
    """Where the files go; the defaults are those of dvc.yaml.

    Attributes:
        snapshot: the study as an Optuna database.
        results: what refit and the plots read.
        trials: a row for each trial.
        validation: all metrics of the best trial, the defaults and a random ranking; their headline
            and the learning curves go beside it.
    """

    snapshot: Path = Path("hpo_study.db")
    results: Path = Path("hpo_results.json")
    trials: Path = Path("metrics/hpo_trials.csv")
    validation: Path = Path("metrics/validation.json")

    @property
    def curves(self) -> Path:
        """A row for each epoch of each trial."""
        return self.validation.with_name("learning_curves.csv")

    @property
    def headline(self) -> Path:
        """The few metrics that DVC compares."""
        return headline_file(self.validation)


def write_outputs(
    outputs: SearchOutputs,
    location: StudyLocation,
    config: Config,
    objective: Objective,
    result: SearchResult,
) -> dict[str, Any]:
    """Write all files, each atomically; the results, which refit reads, last.

    Returns:
        The content of the results file.
    """
    mixed = any(t.provenance != location.provenance.digest for t in result.trials)
    results = sealed(
        summarise(config, objective, result)
        | {
            "identity": location.identity.digest,
            "provenance": {"mixed": mixed, **location.provenance.values},
        }
    )
    write_snapshot(
        outputs.snapshot,
        config.hpo.study_name,
        result.trials,
        distributions(config.hpo.search_space),
        {
            "complete": result.complete,
            "identity": location.identity.digest,
            "identity_values": location.identity.values,
            "provenance": location.provenance.values,
        },
        directions=[*config.hpo.directions.values()],
        card=StudyCard.of_results(results),
    )
    write_trials(outputs.trials, config, result.trials)
    write_csv(outputs.curves, CURVES, _epochs(result.trials))
    metrics = validation_metrics(config, objective, result)
    write_json(outputs.validation, metrics)
    write_json(outputs.headline, headline("validation", metrics.get(MODEL), config.hpo.directions))
    write_json(outputs.results, results)
    return results


def summarise(config: Config, objective: Objective, result: SearchResult) -> dict[str, Any]:
    """The results as plain values."""
    winner = result.winner
    space = config.search_space
    states = Counter(trial.state.lower() for trial in result.trials)
    results = {
        "advice": advise(config, winner, objective.facts),
        "best_params": best_params(space, winner),
        "best_trial": winner and _fields(winner, *BEST_TRIAL),
        "complete": result.complete,
        "data": objective.counts,
        "direction": "maximize",
        "evaluated": objective.target.counts(),
        "exhausted": result.exhausted,
        "fixed": space.fixed,
        "format_version": RESULTS_VERSION,
        "include_defaults": space.starts_with_defaults,
        "left_out": objective.left_out,
        "lookahead": config.hpo.lookahead,
        "n_trials": len(result.trials),
        "num_users": len(objective.target),
        "objective": config.hpo.objective,
        "random": objective.random(),
        "pruner": config.hpo.pruner.model_dump(mode="json"),
        "sampler": config.hpo.sampler.model_dump(mode="json"),
        "search_space": {k: v.model_dump(mode="json") for k, v in space.searched.items()},
        "seed": config.seed,
        "split": "validation",
        "states": {state: states[state] for state in ("complete", "fail", "pruned")},
        "study_name": config.hpo.study_name,
        "trials": [_fields(trial, *LISTED) for trial in result.trials],
    }
    if result.goals.are_several:
        results |= _several(result)
    if len(objective.shares) > 1 and result.trials:
        results["sample"] = _sample(objective, result)
    if config.hpo.confirm is not None:
        results["confirm"] = result.confirmed.to_json() if result.confirmed else None
    return results


def _several(result: SearchResult) -> dict[str, Any]:
    """The objectives, their front, and the rule by which the best trial was chosen from it."""
    directions = result.goals.directions
    return {
        "choice": result.goals.choose.model_dump(mode="json"),
        "front": [
            {
                "allowed": one.is_allowed,
                "number": one.trial.number,
                "values": one.trial.values,
            }
            for one in result.goals.front(result.compared)
        ],
        "objectives": [{"direction": way, "metric": name} for name, way in directions.items()],
        "trials": [_fields(trial, *LISTED, "values") for trial in result.trials],
    }


def _sample(objective: Objective, result: SearchResult) -> dict[str, Any]:
    """What the trials were trained on, and how the best did on more."""
    rungs = [
        {
            "share": rung.share,
            **objective.data(rung.share).counts(),
            "trials": [_fields(run, "failure", "number", "value") for run in rung.runs],
        }
        for rung in result.rungs
    ]
    return {"share": objective.shares[0], **objective.data(None).counts(), "rungs": rungs}


def best_params(space: SearchSpace, winner: Trial | None) -> dict[str, Any]:
    """The hyperparameters that refit trains with, in place of those of `params.yaml`.

    Args:
        space: that was searched.
        winner: the best trial; None: the defaults are kept.
    """
    params = space.complete(winner.params if winner else space.default_params)
    stop = {"last_epoch": winner.best_epoch} if winner and winner.best_epoch else {}
    return {**params, **stop}


def validation_metrics(
    config: Config, objective: Objective, result: SearchResult
) -> dict[str, Any]:
    """Metrics of the best trial beside those of the defaults and of a random ranking.

    Those of the best trial are its own; `confirmed` has its means over fresh seeds, if any. Where
    the best trials of a sample went on, `sample` has what they were there.
    """
    winner = result.winner
    metrics: dict[str, Any] = {
        "evaluated": objective.target.counts(),
        RANDOM: objective.random(),
        **_metrics(config, result.finalists, winner),
    }
    if result.confirmed is not None:
        metrics["confirmed"] = result.confirmed.metrics()
    if winner is not None and result.last_rung is not None:
        metrics["sample"] = _metrics(config, result.trials, result.trials[winner.number])
    return metrics


def _metrics(
    config: Config, trials: Sequence[Trial], winner: Trial | None
) -> dict[str, dict[str, float]]:
    """Metrics of the winner and, if they are among these trials, of the defaults."""
    metrics = {MODEL: winner.metrics} if winner else {}
    defaults = next((trial for trial in trials if trial.number == 0), None)
    if defaults is not None and config.search_space.starts_with_defaults:
        metrics[DEFAULT] = defaults.metrics
    return metrics


def write_trials(path: Path, config: Config, trials: list[Trial]) -> None:
    """Write the trials table: number, state, value, params_*, metrics_*, best_epoch, failure.

    The cell of a parameter whose condition does not hold is empty; value and metrics of a pruned
    trial are those after its last epoch.
    """
    names = sorted(config.search_space.searched)
    metrics = sorted({name for trial in trials for name in trial.metrics})
    columns = ["number", "state", "value", *(f"params_{name}" for name in names)]
    columns += [*(f"metrics_{name}" for name in metrics), "best_epoch", "failure"]
    write_csv(path, columns, [_row(trial) for trial in trials])


def _epochs(trials: list[Trial]) -> Iterator[dict[str, Any]]:
    """A row for each epoch, from 1; its value only where a pruner needed it."""
    for trial in trials:
        for epoch, loss in enumerate(trial.losses, start=1):
            value = trial.intermediate.get(epoch)
            row = {"trial": trial.number, "state": trial.state, "epoch": epoch, "loss": loss}
            yield {**row, "value": value}


def _fields(trial: Trial, *names: str) -> dict[str, Any]:
    return {name: getattr(trial, name) for name in names}


def _row(trial: Trial) -> dict[str, Any]:
    return {
        **_fields(trial, "number", "state", "value", "best_epoch", "failure"),
        **{f"params_{name}": value for name, value in trial.params.items()},
        **{f"metrics_{name}": value for name, value in trial.metrics.items()},
    }
