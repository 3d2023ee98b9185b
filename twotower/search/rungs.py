"""Successive halving by rows: the best few trials of a sample of the users go on to more of them.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", AISTATS 2016. Runs are kept in

.hpo/<identity>/<provenance>/rungs/<share>/0007.json
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from twotower.common.progress import step
from twotower.search.dispatcher import Dispatcher
from twotower.search.driver import Rung, SearchResult
from twotower.search.front import Goals
from twotower.search.reruns import Change, Reruns, outcome
from twotower.search.shares import num_going_on
from twotower.search.store.locks import Say
from twotower.search.trial import Trial, complete_by_value


class Rungs:
    """Runs of the best few trials on larger shares of the users, as many as have finished."""

    def __init__(
        self,
        goals: Goals,
        shares: Sequence[float],
        folder: Path,
        provenance: str,
        say: Say,
    ) -> None:
        """Read the runs that have finished.

        Args:
            goals: decide which trials are the best.
            shares: of `shares_of`; the trials of the search are those of the first.
            folder: keeps the runs.
            provenance: digest that new runs carry.
            say: shows a line to the user.

        Raises:
            SearchError: if a file cannot be read.
        """
        self._goals = goals
        self._shares = shares
        self._say = say
        folders = {Change(share=share): folder / f"{share:g}" for share in shares[1:]}
        self._runs = Reruns(folders, provenance, say)

    def state(self, trials: Sequence[Trial]) -> tuple[list[Rung], list[Trial]]:
        """The finished rungs of a search with these trials, and the runs that the next one lacks.

        A trial that failed on the way is not taken further.
        """
        rungs: list[Rung] = []
        contenders = self._goals.ordered(trials)
        for share, count in zip(
            self._shares[1:], num_going_on(len(trials), self._shares), strict=True
        ):
            change, best = Change(share=share), contenders[:count]
            if missing := self._runs.missing(best, [change]):
                return rungs, missing
            rungs.append(Rung(share, [self._runs.of(trial, change) for trial in best]))
            contenders = self._goals.ordered(rungs[-1].runs)
        return rungs, []

    def run(self, result: SearchResult, dispatcher: Dispatcher) -> SearchResult:
        """The result with all its rungs, or those that there was time for.

        Raises:
            SearchError: if a run cannot be kept.
        """
        trials, contenders = result.trials, len(complete_by_value(result.trials))
        counts = [min(n, contenders) for n in num_going_on(len(trials), self._shares)]
        rungs, missing = self.state(trials)
        total = sum(counts)
        done = total - len(missing) - sum(counts[len(rungs) + 1 :])
        self._announce(counts, total, done)
        with step("run on more users", total, done) as advance:

            def on_run(run: Trial) -> None:
                self._show(run)
                advance(1)

            self._runs.run(lambda: self.state(trials)[1], dispatcher, on_run)
        rungs, missing = self.state(trials)
        result = replace(result, rungs=rungs)
        if missing:
            kept = _users(result.last_rung.share) if result.last_rung else "the sample"
            self._say(
                f"hpo.sample: the time budget ended before all rungs; the best trial on {kept} is "
                "kept, and dvc repro -f -s hpo goes on"
            )
        return result

    def _announce(self, counts: Sequence[int], total: int, done: int) -> None:
        parts = [
            f"{count} on {_users(share)}"
            for share, count in zip(self._shares[1:], counts, strict=True)
        ]
        progress = f"; {done} of {total} runs are done" if done else ""
        self._say(f"the best trials go on: {', then '.join(parts)}{progress}")

    def _show(self, run: Trial) -> None:
        name = f"trial {run.number} on {_users(run.share or 1.0)}"
        self._say(outcome(name, run, self._goals))


def _users(share: float) -> str:
    return "all users" if share == 1 else f"{share:.1%} of the users"
