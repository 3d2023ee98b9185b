"""Trains the best few trials again with fresh seeds: was it the hyperparameters, or luck?

The best of many trials is the one that was both good and lucky. Its own value keeps the luck;
values of fresh seeds do not. Runs are stored as trials are, each in a file, complete or absent:

.hpo/<identity>/<provenance>/confirm/<seed>/0007.json
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import stdev

from twotower.common.progress import step
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.hpo import ConfirmConfig
from twotower.search.confirmation_result import Confirmed
from twotower.search.dispatcher import Dispatcher, Job
from twotower.search.driver import SearchResult
from twotower.search.store.locks import Say
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Trial, complete_by_value

SEEDS_CHANGE_NOTHING = (
    "hpo.confirm: fresh seeds give the same results, as these models have no random part; "
    "there is nothing to confirm, and the best trial of the search is kept"
)
OUT_OF_TIME = (
    "hpo.confirm: the time budget ended before the best trials were confirmed; the best trial of "
    "the search is kept, and dvc repro -f -s hpo resumes the confirmation"
)


class Confirmation:
    """Runs of the best few trials with fresh seeds, as many as have finished."""

    def __init__(
        self, config: Config, confirm: ConfirmConfig, folder: Path, provenance: str, say: Say
    ) -> None:
        """Read the runs that have finished.

        Args:
            config: `hpo.objective` and the seed, which the fresh ones are derived from.
            confirm: how many trials, and how many seeds.
            folder: keeps the runs.
            provenance: digest that new runs carry.
            say: shows a line to the user.

        Raises:
            SearchError: if a file is damaged.
        """
        self._objective = config.hpo.objective
        self._confirm = confirm
        self._provenance = provenance
        self._say = say
        self._seeds = [derive_seed(config.seed, "confirm", n) for n in range(confirm.seeds)]
        self._files = {seed: TrialFiles(folder / str(seed)) for seed in self._seeds}
        self._runs = {
            (number, seed): files.read(number)
            for seed, files in self._files.items()
            for number in files.numbers()
        }

    def num_missing(self, trials: list[Trial]) -> int:
        """How many runs of the best of these trials are known to be missing."""
        return len(self._missing(self._best(trials)))

    def run(self, result: SearchResult, dispatcher: Dispatcher) -> SearchResult:
        """The result with its confirmation, or as it was if there is nothing to confirm or no time.

        Raises:
            SearchError: if a run cannot be kept.
        """
        trials = self._best(result.trials)
        total = len(trials) * len(self._seeds)
        done = total - len(self._not_run(trials, self._seeds))
        self._announce(len(trials), total, done)
        with step("confirmation run", total, done) as advance:
            self._run_missing(trials, dispatcher, advance)
        if self._missing(trials):
            self._say(OUT_OF_TIME)
            return result
        if self._seeds_change_nothing(trials):
            self._say(SEEDS_CHANGE_NOTHING)
            return result
        values = [trial.value or 0.0 for trial in complete_by_value(result.trials)]
        confirmed = Confirmed(
            trials,
            {t.number: [self._runs[t.number, seed] for seed in self._seeds] for t in trials},
            self._confirm.top,
            stdev(values) if len(values) > 1 else None,
        )
        return replace(result, confirmed=confirmed)

    def _run_missing(
        self, trials: list[Trial], dispatcher: Dispatcher, advance: Callable[[int], None]
    ) -> None:
        def next_job() -> Job | None:
            running = {trial.key for trial in dispatcher.handed_out}
            missing = (trial for trial in self._missing(trials) if trial.key not in running)
            return next(((trial, None) for trial in missing), None)

        def keep(run: Trial) -> None:
            self._keep(run)
            advance(1)

        dispatcher.run(next_job, keep)

    def _best(self, trials: list[Trial]) -> list[Trial]:
        return complete_by_value(trials)[: self._confirm.top]

    def _missing(self, trials: list[Trial]) -> list[Trial]:
        """Runs to do, as far as that is known yet.

        Two seeds for each trial show whether seeds change anything; only then others make sense.
        """
        missing = self._not_run(trials, self._seeds[:2])
        if missing or self._seeds_change_nothing(trials):
            return missing
        return self._not_run(trials, self._seeds[2:])

    def _not_run(self, trials: list[Trial], seeds: list[int]) -> list[Trial]:
        return [
            Trial(trial.number, "RUNNING", trial.params, self._provenance, seed=seed)
            for seed in seeds
            for trial in trials
            if not self._has_run(trial, seed)
        ]

    def _has_run(self, trial: Trial, seed: int) -> bool:
        run = self._runs.get((trial.number, seed))
        return run is not None and run.params == trial.params

    def _seeds_change_nothing(self, trials: list[Trial]) -> bool:
        """Whether the first two seeds gave the same losses and metrics for each trial."""
        pairs = [[self._runs[trial.number, seed] for seed in self._seeds[:2]] for trial in trials]
        return all(
            one.failure is None and (one.metrics, one.losses) == (two.metrics, two.losses)
            for one, two in pairs
        )

    def _keep(self, run: Trial) -> None:
        """Keep a run: on disk when this returns."""
        seed = run.seed if run.seed is not None else 0
        self._files[seed].write(run)
        self._runs[run.number, seed] = run
        name = f"trial {run.number}, fresh seed {self._seeds.index(seed) + 1}"
        if run.failure is not None:
            self._say(f"{name} failed: {run.failure}")
        else:
            self._say(f"{name}: {self._objective} {run.value:.4f}")

    def _announce(self, num_trials: int, total: int, done: int) -> None:
        progress = f"; {done} of {total} runs are done" if done else ""
        plural = "s" if num_trials > 1 else ""
        self._say(
            f"confirming the best {num_trials} trial{plural} with {len(self._seeds)} fresh "
            f"seeds each{progress}"
        )
