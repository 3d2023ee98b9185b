"""What runs again once a search is complete: its best trials on more rows, and with fresh seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twotower.config import Config
from twotower.search.confirmation import Confirmation
from twotower.search.dispatcher import Dispatcher
from twotower.search.driver import SearchResult
from twotower.search.front import Goals
from twotower.search.rungs import Rungs
from twotower.search.store.location import StudyLocation
from twotower.search.store.locks import Say
from twotower.search.trial import Trial


@dataclass(frozen=True)
class Finals:
    """The rungs of a sampled search, and the confirmation of its best on all rows.

    Attributes:
        goals: decide which trials are the best.
        rungs: None: all trials were trained on all rows.
        confirmation: None: `hpo.confirm` requests none.
    """

    goals: Goals
    rungs: Rungs | None
    confirmation: Confirmation | None

    @classmethod
    def of(
        cls, config: Config, shares: Sequence[float], location: StudyLocation, say: Say
    ) -> "Finals":
        """Read the runs that have finished.

        Args:
            config: section `hpo`, and the seed.
            shares: of the users in each rung, see `shares_of`.
            location: of the study.
            say: shows a line to the user.

        Raises:
            SearchError: if a file cannot be read.
        """
        confirm, digest, sampled = config.hpo.confirm, location.provenance.digest, len(shares) > 1
        goals = Goals.of(config.hpo)
        return cls(
            goals,
            Rungs(goals, shares, location.folder / "rungs", digest, say) if sampled else None,
            Confirmation(
                config,
                confirm,
                location.folder / "confirm",
                digest,
                say,
                share=1.0 if sampled else None,
            )
            if confirm
            else None,
        )

    def num_missing(self, trials: list[Trial]) -> int:
        """How many runs are known to be missing, if these are the trials of the search."""
        result = SearchResult(trials, complete=True, goals=self.goals)
        if self.rungs:
            rungs, missing = self.rungs.state(trials)
            if missing:
                return len(missing)
            result = replace(result, rungs=rungs)
        return self.confirmation.num_missing(result.finalists) if self.confirmation else 0

    def run(self, result: SearchResult, dispatcher: Dispatcher) -> SearchResult:
        """The result with its rungs and its confirmation, as far as there is time.

        Raises:
            SearchError: if a run cannot be kept.
        """
        if self.rungs:
            result = self.rungs.run(result, dispatcher)
            if not (result.rungs and result.rungs[-1].share == 1):
                return result
        return self.confirmation.run(result, dispatcher) if self.confirmation else result
