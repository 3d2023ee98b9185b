"""Trains the best few trials again with fresh seeds: was it the hyperparameters, or luck?

The best of many trials is the one that was both good and lucky. Its own value keeps the luck;
values of fresh seeds do not. Runs are kept as trials are, each in a file that is whole or absent:

.hpo/<identity>/<provenance>/confirm/<seed>/0007.json
"""

from dataclasses import replace
from pathlib import Path
from statistics import stdev

from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.hpo import ConfirmConfig
from twotower.search.confirmed import Confirmed, ConfirmedTrial
from twotower.search.dispatch import Dispatcher
from twotower.search.driver import SearchResult
from twotower.search.execute import TrialTask
from twotower.search.store.locks import Say
from twotower.search.store.pending import PendingTrials
from twotower.search.trial import Trial, complete_by_value

CHANGE_NOTHING = (
    "hpo.confirm: fresh seeds change nothing, as these models hold nothing random: "
    "there is nothing to confirm, and the best trial stands"
)
CUT = (
    "hpo.confirm: the time budget ended before the best trials were confirmed: the best trial "
    "stands; dvc repro -f -s hpo goes on with them"
)


class Confirmation:
    """Runs of the best few trials with fresh seeds, as far as they are there yet."""

    def __init__(
        self, config: Config, asked: ConfirmConfig, folder: Path, provenance: str, say: Say
    ) -> None:
        """Read the runs that are there.

        Args:
            config: `hpo.objective` and the seed, which the fresh ones are derived from.
            asked: how many trials, and how many seeds.
            folder: keeps the runs.
            provenance: digest that new runs carry.
            say: told what the user should know.

        Raises:
            SearchError: if a file is not as it was written.
        """
        self._objective = config.hpo.objective
        self._asked = asked
        self._provenance = provenance
        self._say = say
        self._seeds = [derive_seed(config.seed, "confirm", n) for n in range(asked.seeds)]
        self._files = {seed: PendingTrials(folder / str(seed)) for seed in self._seeds}
        self._runs = {
            (number, seed): files.read(number)
            for seed, files in self._files.items()
            for number in files.numbers()
        }

    def missing(self, records: list[Trial]) -> int:
        """How many runs the best of these trials lack, as far as that is known yet."""
        return len(self._missing(self._best(records)))

    def run(self, result: SearchResult, dispatcher: Dispatcher) -> SearchResult:
        """The result with what fresh seeds say of it; as it was if they can or may say nothing.

        Raises:
            SearchError: if a run cannot be kept.
        """
        trials = self._best(result.records)
        self._announce(trials)

        def next_task() -> TrialTask | None:
            running = {task.key for task in dispatcher.handed_out}
            left = (key for key in self._missing(trials) if key not in running)
            return next((self._task(trials, *key) for key in left), None)

        dispatcher.run(next_task, self._keep)
        if self._missing(trials):
            self._say(CUT)
            return result
        if self._seeds_change_nothing(trials):
            self._say(CHANGE_NOTHING)
            return result
        values = [record.value or 0.0 for record in complete_by_value(result.records)]
        confirmed = Confirmed(
            trials=[
                ConfirmedTrial(trial, [self._runs[trial.number, seed] for seed in self._seeds])
                for trial in trials
            ],
            seeds=self._asked.seeds,
            top=self._asked.top,
            search_spread=stdev(values) if len(values) > 1 else None,
        )
        return replace(result, confirmed=confirmed)

    def _best(self, records: list[Trial]) -> list[Trial]:
        return complete_by_value(records)[: self._asked.top]

    def _missing(self, trials: list[Trial]) -> list[tuple[int, int]]:
        """Trial and seed of the runs that are to be made, as far as that is known yet.

        Two seeds for each trial show whether seeds change anything; only then others make sense.
        """
        missing = self._lacking(trials, self._seeds[:2])
        if missing or self._seeds_change_nothing(trials):
            return missing
        return self._lacking(trials, self._seeds[2:])

    def _lacking(self, trials: list[Trial], seeds: list[int]) -> list[tuple[int, int]]:
        return [
            (trial.number, seed)
            for seed in seeds
            for trial in trials
            if not self._is_there(trial, seed)
        ]

    def _is_there(self, trial: Trial, seed: int) -> bool:
        run = self._runs.get((trial.number, seed))
        return run is not None and run.params == trial.params

    def _seeds_change_nothing(self, trials: list[Trial]) -> bool:
        """Whether the first two seeds gave the same model for each trial, to all that is known."""
        pairs = [[self._runs[trial.number, seed] for seed in self._seeds[:2]] for trial in trials]
        return all(
            one.failure is None and (one.metrics, one.losses) == (two.metrics, two.losses)
            for one, two in pairs
        )

    def _task(self, trials: list[Trial], number: int, seed: int) -> TrialTask:
        params = next(trial.params for trial in trials if trial.number == number)
        return TrialTask(number, params, {}, self._objective, self._provenance, seed=seed)

    def _keep(self, task: TrialTask, run: Trial) -> None:
        """Keep a run: on disk when this returns."""
        seed = task.seed if task.seed is not None else 0
        self._files[seed].write(run)
        self._runs[task.number, seed] = run
        which = f"trial {task.number}, fresh seed {self._seeds.index(seed) + 1}"
        if run.failure is not None:
            self._say(f"{which}: failed: {run.failure}")
        else:
            self._say(f"{which}: {self._objective} {run.value:.4f}")

    def _announce(self, trials: list[Trial]) -> None:
        total = len(trials) * len(self._seeds)
        there = total - len(self._lacking(trials, self._seeds))
        already = f", {there} of {total} runs are already there" if there else ""
        self._say(
            f"confirming the best {len(trials)} trial{'s' * (len(trials) > 1)} with "
            f"{len(self._seeds)} fresh seeds each{already}"
        )
