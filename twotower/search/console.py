"""The terminal output of a search: counts, a progress bar, a summary."""

import sys
from typing import Any

from tqdm import tqdm

from twotower.search.store.location import StudyLocation
from twotower.search.trial import Trial, best

OUT_OF_TIME = "the time budget ran out: dvc repro -f -s hpo resumes the study"

EXHAUSTED = "every combination of the search space has been tried"


class SearchConsole:
    """Shows one search: a line for each new best and each failed trial, a bar for the rest."""

    def __init__(self, objective: str) -> None:
        self._objective = objective
        self._best: Trial | None = None
        self._bar: tqdm[Any] | None = None

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        tqdm.write(line, file=sys.stdout)

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
        self._best = best(finished)
        self._bar = tqdm(total=total, initial=len(finished), desc="trials", disable=None)

    def trial(self, trial: Trial) -> None:
        """Show a new finished trial; called once it is on disk."""
        if trial.failure is not None:
            self.say(f"trial {trial.number} failed: {trial.failure}")
        elif best([t for t in (self._best, trial) if t]) is trial:
            self._best = trial
            self.say(
                f"trial {trial.number}: {self._objective} {trial.value:.4f}, the best so far, "
                f"with {_params(trial.params)}"
            )
        if self._bar is not None:
            self._bar.update()

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()

    def summary(self, results: dict[str, Any], files: list[str]) -> None:
        """Show the best trial and the files.

        Args:
            results: the content of the results file.
            files: that the search wrote.
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
            self.say(f"best trial: {winner['number']} ({_params(winner['params'])})")
            width = max(map(len, winner["metrics"]))
            users = results["num_users"]
            self.say(f"validation metrics over {users:,} users (random ranking in brackets):")
            for name, value in sorted(winner["metrics"].items()):
                chance = results["random"].get(name)
                bracket = "" if chance is None else f"  ({chance:.4f})"
                self.say(f"  {name:<{width}}  {value:.4f}{bracket}")
        if results.get("confirm"):
            self._confirmed(results["confirm"])
        for line in results.get("advice", []):
            self.say(f"next: {line}")
        self.say("files: " + ", ".join(files))

    def _confirmed(self, confirm: dict[str, Any]) -> None:
        """Show the results on fresh seeds, and whether the search found more than a lucky seed."""
        self.say(f"{self._objective} over {confirm['seeds']} fresh seeds (in the search):")
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
