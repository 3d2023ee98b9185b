"""One search from prepared data to its output files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twotower.common.errors import SearchError
from twotower.common.paths import decompositions_folder, live_folder
from twotower.config import Config
from twotower.config.effects import DataFacts
from twotower.data.prepared import PREPARED, fingerprint
from twotower.search.console import SearchConsole
from twotower.search.data_facts import without_entries
from twotower.search.dispatcher import Dispatcher
from twotower.search.driver import SearchDriver, SearchResult
from twotower.search.finals import Finals
from twotower.search.front import Goals
from twotower.search.identity import build_identity, provenance
from twotower.search.objective import Objective
from twotower.search.outputs import SearchOutputs, write_outputs
from twotower.search.proposals.propose import Proposer
from twotower.search.store.live_study import LiveStudy, open_study
from twotower.search.store.location import StudyLocation
from twotower.search.trial import Params, Trial
from twotower.search.warm_start import WARM_START, WarmStart, read_warm_start
from twotower.search.workers.choose import open_workers


def run_search(
    config: Config,
    root: Path,
    console: SearchConsole,
    prepared: Path = PREPARED,
    outputs: SearchOutputs | None = None,
    *,
    add_trials: int = 0,
    warm_start: Path = WARM_START,
) -> dict[str, Any]:
    """Run the trials of a search that have not finished yet, and write its files.

    Args:
        config: all of params.yaml.
        root: repository that keeps the live studies, below `.hpo`.
        console: shows the progress.
        prepared: folder that the prepare stage wrote.
        outputs: where the results go.
        add_trials: number of trials on top of the finished ones, in place of the total
            `hpo.n_trials`; 0: that total.
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
    config = without_entries(config, objective.left_out)
    for name, reason in objective.left_out.items():
        console.say(f"{name} is not searched: {reason}")
    first = read_warm_start(warm_start, config, objective.facts)
    location = StudyLocation(
        live_folder(root),
        outputs.snapshot,
        build_identity(config, fingerprint(prepared), first.trials, objective.shares[0]),
        provenance(config.hpo.sampler.type, config.train.device),
        mixed=config.hpo.on_drift == "resume",
    )
    if not objective.counts["num_validation_rows"]:
        console.say("no validation split, so there is nothing to optimise: the defaults are kept")
        nothing = SearchResult([], complete=True, goals=Goals.of(config.hpo))
        return write_outputs(outputs, location, config, objective, nothing)
    _note_sample(objective, console)
    if not len(objective.target):
        msg = "no user of the validation split has an item that is not in their training history"
        raise SearchError(msg)
    _note_masked(objective, console)
    _announce_warm_start(first, warm_start, console)
    with open_study(location, config.hpo, console.say) as study:
        config = _with_total(config, study, add_trials)
        result = _search(config, location, objective, study, console, warm_start=first.trials)
        return write_outputs(outputs, location, config, objective, result)


def _note_sample(objective: Objective, console: SearchConsole) -> None:
    """Say what share of the users trials train on, if it is not all.

    Raises:
        SearchError: if none of them can be scored.
    """
    share, counts = objective.shares[0], objective.data(None).counts()
    if share == 1:
        return
    if not len(objective.target) or not counts["num_train_rows"]:
        msg = f"hpo.sample: {share:g} of the users leaves none to train on and to score; raise it"
        raise SearchError(msg)
    console.say(
        f"hpo.sample: trials train on {counts['num_train_rows']:,} rows of "
        f"{counts['num_train_users']:,} users ({share:.1%}), and are scored by the "
        f"{len(objective.target):,} of them who have something to find"
    )


def _note_masked(objective: Objective, console: SearchConsole) -> None:
    """Say if most users who have something to find have had it before, so that few are measured."""
    masked, left = objective.target.num_users_nothing_new, len(objective.target)
    if masked > left:
        console.say(
            f"note: {masked:,} of {masked + left:,} users have only had before what they should "
            "find, and it is masked; evaluate.exclude_seen: false ranks it too"
        )


def _with_total(config: Config, study: LiveStudy, add_trials: int) -> Config:
    if not add_trials:
        return config
    hpo = config.hpo.model_copy(update={"n_trials": len(study.trials) + add_trials})
    return config.model_copy(update={"hpo": hpo})


def _announce_warm_start(first: WarmStart, path: Path, console: SearchConsole) -> None:
    for line in first.skipped:
        console.say(line)
    if first.trials:
        plural = "" if len(first.trials) == 1 else "s"
        console.say(f"warm start: {len(first.trials)} trial{plural} from {path} will run first")


def _search(
    config: Config,
    location: StudyLocation,
    objective: Objective,
    study: LiveStudy,
    console: SearchConsole,
    *,
    warm_start: Sequence[Params],
) -> SearchResult:
    """Run and confirm the trials that are missing; without any, no worker is started.

    Workers start first: the announcement may start a thread that works for MLflow, and a process is
    best forked from one in which little else goes on.
    """
    digest = location.provenance.digest
    finished = [study.trials[n] for n in sorted(study.trials) if n < config.hpo.n_trials]
    total = config.hpo.n_trials
    if _is_exhausted(config, finished, objective.facts, warm_start):
        total = len(finished)
    missing = total - len(finished)
    finals = Finals.of(config, objective.shares, location, console.say)
    missing = missing or finals.num_missing(finished)
    with open_workers(
        config, objective, missing, console.say, location.workers, epochs=console.epochs
    ) as workers:
        _announce(total, location, objective, finished, console)
        dispatcher = Dispatcher(config.hpo, workers, console.running)
        search = SearchDriver(
            config,
            study,
            dispatcher,
            digest,
            console.trial,
            warm_start=warm_start,
            data=objective.facts,
        )
        result = search.run()
        return finals.run(result, dispatcher) if result.complete else result


def _is_exhausted(
    config: Config, finished: list[Trial], data: DataFacts, warm_start: Sequence[Params]
) -> bool:
    """Whether these trials are all that the space has; it saves starting workers for nothing."""
    trials = dict(enumerate(finished))
    if any(trial.number != number for number, trial in trials.items()):
        return False
    proposer = Proposer(
        config.search_space, config.hpo, config.seed, warm_start=warm_start, data=data
    )
    return proposer.propose(len(finished), trials) is None


def _announce(
    total: int,
    location: StudyLocation,
    objective: Objective,
    finished: list[Trial],
    console: SearchConsole,
) -> None:
    """Say how many trials are done, and start the progress bar."""
    done = len(finished)
    if done == total:
        console.say(f"all {total} trials are done, none to run")
    elif done:
        console.say(f"{done} of {total} trials are done, {total - done} to run")
    console.start(location, objective.counts, finished, total)
