"""Trains the best few trials again with fresh seeds: was it the hyperparameters, or luck?

The best of many trials is the one that was both good and lucky. Its own value keeps the luck;
values of fresh seeds do not. Runs are kept in

.hpo/<identity>/<provenance>/confirm/<seed>/0007.json
"""

from dataclasses import replace
from pathlib import Path
from statistics import stdev

from twotower.common.progress import step
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.hpo import ConfirmConfig
from twotower.search.confirmation_result import Confirmed
from twotower.search.dispatcher import Dispatcher
from twotower.search.driver import SearchResult
from twotower.search.front import Goals
from twotower.search.reruns import Change, Reruns, outcome
from twotower.search.store.locks import Say
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
        self,
        config: Config,
        confirm: ConfirmConfig,
        folder: Path,
        provenance: str,
        say: Say,
        *,
        share: float | None = None,
    ) -> None:
        """Read the runs that have finished.

        Args:
            config: the objectives in `hpo` and the seed, which the fresh ones are derived from.
            confirm: how many trials, and how many seeds.
            folder: keeps the runs.
            provenance: digest that new runs carry.
            say: shows a line to the user.
            share: of the users that they train on; None: that of the search.

        Raises:
            SearchError: if a file cannot be read.
        """
        self._goals = Goals.of(config.hpo)
        self._confirm = confirm
        self._say = say
        seeds = [derive_seed(config.seed, "confirm", n) for n in range(confirm.seeds)]
        self._changes = [Change(seed, share) for seed in seeds]
        folders = {change: folder / str(change.seed) for change in self._changes}
        self._runs = Reruns(folders, provenance, say)

    def num_missing(self, trials: list[Trial]) -> int:
        """How many runs of the best of these trials are known to be missing."""
        return len(self._missing(self._best(trials)))

    def run(self, result: SearchResult, dispatcher: Dispatcher) -> SearchResult:
        """The result with its confirmation, or as it was if there is nothing to confirm or no time.

        Raises:
            SearchError: if a run cannot be kept.
        """
        trials = self._best(result.finalists)
        total = len(trials) * len(self._changes)
        done = total - len(self._runs.missing(trials, self._changes))
        self._announce(len(trials), total, done)
        with step("confirmation run", total, done) as advance:

            def on_run(run: Trial) -> None:
                self._show(run)
                advance(1)

            self._runs.run(lambda: self._missing(trials), dispatcher, on_run)
        if self._missing(trials):
            self._say(OUT_OF_TIME)
            return result
        if self._seeds_change_nothing(trials):
            self._say(SEEDS_CHANGE_NOTHING)
            return result
        values = [trial.value or 0.0 for trial in complete_by_value(result.trials)]
        confirmed = Confirmed(
            trials,
            {t.number: [self._runs.of(t, change) for change in self._changes] for t in trials},
            self._confirm.top,
            self._goals,
            stdev(values) if len(values) > 1 else None,
        )
        return replace(result, confirmed=confirmed)

    def _best(self, trials: list[Trial]) -> list[Trial]:
        return self._goals.ordered(trials)[: self._confirm.top]

    def _missing(self, trials: list[Trial]) -> list[Trial]:
        """Runs to do, as far as that is known yet.

        Two seeds for each trial show whether seeds change anything; only then others make sense.
        """
        missing = self._runs.missing(trials, self._changes[:2])
        if missing or self._seeds_change_nothing(trials):
            return missing
        return self._runs.missing(trials, self._changes[2:])

    def _seeds_change_nothing(self, trials: list[Trial]) -> bool:
        """Whether the first two seeds gave the same losses and metrics for each trial."""
        pairs = [[self._runs.of(trial, change) for change in self._changes[:2]] for trial in trials]
        return all(
            one.failure is None and (one.metrics, one.losses) == (two.metrics, two.losses)
            for one, two in pairs
        )

    def _show(self, run: Trial) -> None:
        seed = self._changes.index(Change(run.seed, run.share)) + 1
        name = f"trial {run.number}, fresh seed {seed}"
        self._say(outcome(name, run, self._goals))

    def _announce(self, num_trials: int, total: int, done: int) -> None:
        progress = f"; {done} of {total} runs are done" if done else ""
        plural = "s" if num_trials > 1 else ""
        self._say(
            f"confirming the best {num_trials} trial{plural} with {len(self._changes)} fresh "
            f"seeds each{progress}"
        )
