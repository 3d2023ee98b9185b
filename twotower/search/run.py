"""One search from prepared data to its output files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.errors import SearchError
from twotower.common.paths import decompositions_folder, live_folder
from twotower.config import Config
from twotower.data.prepared import PREPARED, fingerprint
from twotower.search.confirm import Confirmation
from twotower.search.driver import SearchDriver, SearchResult
from twotower.search.identity import build_identity, provenance
from twotower.search.objective import Objective
from twotower.search.outputs import SearchOutputs, write_outputs
from twotower.search.store.live_study import LiveStudy, open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.locks import Say
from twotower.search.trial import Trial
from twotower.search.warm_start import WARM_START, WarmStart, read_warm_start
from twotower.search.workers.choose import open_workers


@dataclass(frozen=True)
class SearchListener:
    """Who is told what, and when.

    Attributes:
        say: a line for the user.
        start: once, before the first new trial: which study it is, the counts of the data, the
            trials that are already there, and the total that is asked for.
        trial: each new trial, once it is on disk.
    """

    say: Say
    start: Callable[[StudyLocation, dict[str, int], list[Trial], int], None]
    trial: Callable[[Trial], None]


def run_search(
    config: Config,
    root: Path,
    watcher: SearchListener,
    prepared: Path = PREPARED,
    outputs: SearchOutputs | None = None,
    *,
    add_trials: int = 0,
    warm_start: Path = WARM_START,
) -> dict[str, Any]:
    """Run the search that `config` asks for, as far as its trials are not there yet.

    Args:
        config: all of params.yaml.
        root: repository that keeps the live studies, below `.hpo`.
        watcher: told of the progress.
        prepared: folder that the prepare stage wrote.
        outputs: where the results go.
        add_trials: trials beyond those already there, in place of `hpo.n_trials`; 0: that total.
        warm_start: file of the trials that are tried first, after the defaults.

    Returns:
        The content of the results file.

    Raises:
        SearchError: if no trial completed, no user of the validation split can be scored, or
            `warm_start` is damaged.
        DataError: if the prepared data is missing.
    """
    outputs = outputs or SearchOutputs()
    objective = Objective(prepared, config, decompositions_folder(root))
    first = read_warm_start(warm_start, config)
    location = StudyLocation(
        live_folder(root),
        outputs.snapshot,
        build_identity(config, fingerprint(prepared), first.trials),
        provenance(config.hpo.sampler.type),
        mixed=config.hpo.on_drift == "resume",
    )
    if not objective.counts["num_validation_rows"]:
        watcher.say("no validation split: nothing to choose by, so the defaults stand")
        return write_outputs(outputs, location, config, objective, SearchResult([], complete=True))
    if not len(objective.target):
        msg = "no user of the validation split has an item to find that training did not show"
        raise SearchError(msg)
    _announce_warm_start(first, warm_start, watcher)
    with open_study(location, config.hpo, watcher.say) as study:
        config = _with_total(config, study, add_trials)
        missing = _announce(config, location, objective, study, watcher)
        confirmation = _confirmation(config, location, watcher)
        if confirmation and not missing:
            missing = confirmation.missing(_wanted(config, study))
        with open_workers(config, objective, missing, watcher.say, location.workers) as workers:
            digest = location.provenance.digest
            search = SearchDriver(
                config, study, workers, digest, watcher.trial, warm_start=first.trials
            )
            result = search.run()
            if confirmation and result.complete:
                result = confirmation.run(result, search.dispatcher)
        return write_outputs(outputs, location, config, objective, result)


def _with_total(config: Config, study: LiveStudy, add_trials: int) -> Config:
    if not add_trials:
        return config
    hpo = config.hpo.model_copy(update={"n_trials": len(study.records) + add_trials})
    return config.model_copy(update={"hpo": hpo})


def _announce_warm_start(first: WarmStart, path: Path, watcher: SearchListener) -> None:
    for line in first.left_out:
        watcher.say(line)
    if first.trials:
        plural = "" if len(first.trials) == 1 else "s"
        watcher.say(f"{path}: {len(first.trials)} trial{plural} of an earlier study come first")


def _confirmation(
    config: Config, location: StudyLocation, watcher: SearchListener
) -> Confirmation | None:
    if config.hpo.confirm is None:
        return None
    folder, digest = location.folder / "confirm", location.provenance.digest
    return Confirmation(config, config.hpo.confirm, folder, digest, watcher.say)


def _wanted(config: Config, study: LiveStudy) -> list[Trial]:
    """The trials that are there and asked for, by number."""
    return [study.records[n] for n in sorted(study.records) if n < config.hpo.n_trials]


def _announce(
    config: Config,
    location: StudyLocation,
    objective: Objective,
    study: LiveStudy,
    watcher: SearchListener,
) -> int:
    """Say how many trials are there already; returns how many are not."""
    total, there = config.hpo.n_trials, _wanted(config, study)
    if len(there) == total:
        watcher.say(f"all {total} trials are already there: none to run")
    elif there:
        watcher.say(
            f"{len(there)} of {total} trials are already there: {total - len(there)} to run"
        )
    watcher.start(location, objective.counts, there, total)
    return total - len(there)
