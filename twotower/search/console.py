"""The terminal output of a search: counts, a progress bar, a summary."""

import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from twotower.common.progress import say, step
from twotower.search.front import Goals
from twotower.search.store.location import StudyLocation
from twotower.search.time_left import TimeLeft, in_words
from twotower.search.trade_off import trade_off
from twotower.search.trial import Key, Trial, complete_by_value
from twotower.search.workers.epochs import WorkersEpochs

OUT_OF_TIME = "the time budget ran out: dvc repro -f -s hpo resumes the study"

EXHAUSTED = "every combination of the search space has been tried"
MAX_FRONT = 20
"""Trials of a front that are listed, about; of more, every second one, or third, and the chosen."""


class SearchConsole:
    """Shows one search: a line for each new best and each failed trial, a bar for the rest.

    Attributes:
        epochs: how far the trials of local workers have come.
    """

    def __init__(self, goals: Goals, timeout: float | None = None) -> None:
        """Prepare to show a search.

        Args:
            goals: decide which trial is a new best.
            timeout: seconds after which no trial is started.
        """
        self.epochs = WorkersEpochs()
        self._goals = goals
        self._timeout = timeout
        self._best: list[Trial] = []
        self._states: Counter[str] = Counter()
        self._left = TimeLeft()
        self._running: dict[Key, tuple[Trial, float]] = {}
        self._workers = 1
        self._total = 0
        self._started = 0.0
        self._open = ExitStack()
        self._advance: Callable[[int], None] = lambda _: None

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        say(line)

    def start(
        self,
        location: StudyLocation,  # noqa: ARG002 - for subclasses
        counts: dict[str, int],
        finished: list[Trial],
        total: int,
    ) -> None:
        """Show the size of the data, and start the bar; called once, before the first new trial.

        Args:
            location: the study.
            counts: rows and entities that the search sees.
            finished: trials of earlier runs.
            total: number of trials that the study will have.
        """
        self.say(
            f"{counts['num_users']:,} users, {counts['num_items']:,} items; "
            f"{counts['num_train_rows']:,} training rows, "
            f"{counts['num_validation_rows']:,} validation rows"
        )
        self._total, self._started = total, time.monotonic()
        self._best = self._best_of(finished)
        for trial in finished:
            self._count(trial)
        if len(finished) < total:
            shown = step("trials", total, len(finished), note=self._note)
            self._advance = self._open.enter_context(shown)

    def running(self, trials: list[Trial]) -> None:
        """Note which trials, or runs of a confirmation, are running; called at every change."""
        now = time.monotonic()
        self._running = {t.key: self._running.get(t.key, (t, now)) for t in trials}
        self._workers = max(self._workers, len(trials))

    def trial(self, trial: Trial) -> None:
        """Show a new finished trial; called once it is on disk."""
        self._count(trial)
        if trial.failure is not None:
            self.say(f"trial {trial.number} failed: {trial.failure}")
        elif trial in (best := self._best_of([*self._best, trial])):
            self._best = best
            which = "on the front so far" if self._goals.are_several else "the best so far"
            self.say(
                f"trial {trial.number}: {self._goals.text(trial)}, {which}, "
                f"with {_params(trial.params)}"
            )
        self._advance(1)

    def close(self) -> None:
        """End the bar."""
        self._open.close()

    def _best_of(self, trials: list[Trial]) -> list[Trial]:
        """The best of them, or those on the front."""
        if self._goals.are_several:
            return [one.trial for one in self._goals.front(trials)]
        return complete_by_value(trials)[:1]

    def _count(self, trial: Trial) -> None:
        self._states[trial.state] += 1
        self._left.add(trial)

    def _note(self) -> str:
        """How the search stands: the best value, the time left, what runs, what was pruned."""
        running = list(self._running.values())
        pruned, now = self._states["PRUNED"], time.monotonic()
        texts = []  # a narrow terminal shows the first of them
        if self._best:
            one, *more = self._best  # the front begins with the best of the first objective
            on_front = f", {len(more) + 1} on the front" if self._goals.are_several else ""
            texts.append(f"best {one.value:#.3g}{on_front}")
        if (seconds := self._seconds_left(running, now)) is not None:
            texts.append(f"{in_words(seconds)} left")
        if running or self._states.total() < self._total:
            texts.append(f"{len(running)} running")
        if pruned:
            texts.append(f"{pruned} pruned")
        texts.append(self.epochs.text())
        return ", ".join(text for text in texts if text)

    def _seconds_left(self, running: list[tuple[Trial, float]], now: float) -> float | None:
        """Seconds until the last trial has finished, or no more is started."""
        spent = [(trial.params, now - since) for trial, since in running]
        waiting = self._total - self._states.total() - len(running)
        if waiting < 0 or not (waiting or running):  # a confirmation runs, or nothing
            return None
        left = self._left.estimate(spent, waiting, self._workers)
        if left is None or self._timeout is None:
            return left
        return min(left, max(0.0, self._started + self._timeout - now))

    def summary(self, results: dict[str, Any], files: list[str]) -> None:
        """Show the best trial and the files.

        Args:
            results: the content of the results file.
            files: that the search wrote and that are worth naming.
        """
        winner = results["best_trial"]
        if winner is not None:
            states = results["states"]
            failed = f", {states['fail']} failed" if states["fail"] else ""
            cut = "" if results["complete"] else f"; {OUT_OF_TIME}"
            cut = f"; {EXHAUSTED}" if results["exhausted"] else cut
            pruned = f", {states['pruned']} pruned" if states["pruned"] else ""
            plural = "" if results["n_trials"] == 1 else "s"
            self.say(f"\n{results['n_trials']} trial{plural}{pruned}{failed}{cut}")
            chosen = "chosen of the front" if self._goals.are_several else "best trial"
            self.say(f"{chosen}: {winner['number']} ({_params(winner['params'])})")
            self._front(results)
            width = max(map(len, winner["metrics"]))
            users = results["num_users"]
            self.say(f"validation metrics over {users:,} users (random ranking in brackets):")
            for name, value in sorted(winner["metrics"].items()):
                chance = results["random"].get(name)
                bracket = "" if chance is None else f"  ({chance:.4f})"
                self.say(f"  {name:<{width}}  {value:.4f}{bracket}")
        if results.get("sample"):
            self._sampled(results)
        if results.get("confirm"):
            self._confirmed(results["confirm"])
        for line in results.get("advice", []):
            self.say(f"next: {line}")
        if files:
            self.say("files: " + ", ".join(files))

    def _front(self, results: dict[str, Any]) -> None:
        """Show the Pareto front of several objectives, and what the choice gives up for what."""
        front, best = results.get("front", []), results["best_trial"]["number"]
        every = math.ceil(len(front) / MAX_FRONT)
        listed = [
            one for place, one in enumerate(front) if place % every == 0 or one["number"] == best
        ]
        for one in listed:
            values = zip(self._goals.directions, one["values"], strict=True)
            shown = ", ".join(f"{name} {value:.4f}" for name, value in values)
            mark = "" if one["allowed"] else "  not allowed by hpo.choose"
            mark = "  chosen" if one["number"] == best else mark
            self.say(f"  trial {one['number']:<4} {shown}{mark}")
        if every > 1:
            self.say(f"  {len(listed)} of the {len(front)} trials on the front")
        if said := trade_off(results):
            self.say(said)

    def _sampled(self, results: dict[str, Any]) -> None:
        """Show how the best trials did on larger shares of the users."""
        values = {trial["number"]: trial["value"] for trial in results["trials"]}
        for rung in results["sample"]["rungs"]:
            rows, users = rung["num_train_rows"], rung["num_train_users"]
            name = self._goals.objective
            self.say(f"{name} trained on {rows:,} rows of {users:,} users (on the sample):")
            for trial in rung["trials"]:
                fresh = (
                    f"failed: {trial['failure']}"
                    if trial["value"] is None
                    else f"{trial['value']:.4f}"
                )
                self.say(f"  trial {trial['number']:<4} {fresh}  ({values[trial['number']]:.4f})")

    def _confirmed(self, confirm: dict[str, Any]) -> None:
        """Show the results on fresh seeds, and whether the search found more than a lucky seed."""
        self.say(f"{self._goals.objective} over {confirm['seeds']} fresh seeds (in the search):")
        for trial in confirm["trials"]:
            mark = "  chosen" if trial["number"] == confirm["chosen"] else ""
            fresh = (
                f"failed: {trial['failure']}"
                if trial["mean"] is None
                else f"{trial['mean']:.4f} ± {trial['std']:.4f}"
            )
            self.say(f"  trial {trial['number']:<4} {fresh}  ({trial['value']:.4f}){mark}")
        seeds, trials = confirm["spread"]["seeds"], confirm["spread"]["trials"]
        if seeds is not None and trials is not None:
            hint = ": the trials differ no more than seeds do" if trials <= seeds else ""
            self.say(
                f"standard deviation from seed to seed {seeds:.4f}, "
                f"from trial to trial {trials:.4f}{hint}"
            )


def _params(params: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items())
