"""What EASE takes on data of a certain size, and whether that is within a budget.

Everything is a function of the data's size, never of a clock or of the machine's memory, so that
what a run leaves is the same everywhere. The rates are careful ones: on a core with AVX-512, 95 and
49 billion dense operations a second were measured, and 1.2 to 1.6 billion sparse ones.
"""

from dataclasses import dataclass

from twotower.baselines.ease import FLOAT64_SIZE
from twotower.baselines.matrices import BLOCK, THREADS
from twotower.baselines.plan import SAMPLE_USERS, Plan
from twotower.config.refit import BaselineBudget
from twotower.evaluation.ranking import BLOCK_SCORES

FLOAT32_RATE, FLOAT64_RATE, SPARSE_RATE = 60e9, 30e9, 1e9
"""Floating-point operations a second of one core: dense products in float32 and float64, and those
of a sparse and a dense matrix."""
NOTICE_SECONDS = 5.0
"""What takes longer is announced."""


@dataclass(frozen=True)
class Size:
    """How large the data are.

    Attributes:
        num_users: that can be scored.
        num_items: size of the catalogue.
        num_pairs: training rows, or fewer distinct pairs.
    """

    num_users: int
    num_items: int
    num_pairs: int

    @property
    def matrix(self) -> int:
        """Rows of the smaller Gram matrix."""
        return min(self.num_users, self.num_items)

    @property
    def share(self) -> float:
        """Share of the users that settings are compared on."""
        return min(1.0, SAMPLE_USERS / self.num_users)

    def sample(self) -> "Size":
        """The size of the data of these users alone."""
        users, pairs = round(self.share * self.num_users), round(self.share * self.num_pairs)
        return Size(users, self.num_items, pairs)

    def gigabytes(self) -> float:
        """Memory of one fit and of ranking by it, beside what the process has."""
        size, width = self.matrix, 8 if self.matrix <= FLOAT64_SIZE else 4
        numbers = width * size**2 + (4 * size**2 if width == 8 else 0)  # the float32 weights
        panels = (2 + THREADS) * BLOCK * max(size * width, 4 * self.num_items)
        ranking = 4 * 4 * BLOCK_SCORES  # scores, their two halves, and the order of the best
        return (numbers + panels + ranking + 24 * self.num_pairs) / 1e9

    def fit_seconds(self) -> float:
        """Time of one fit, on THREADS cores."""
        dual = self.num_users < self.num_items
        return self.matrix**3 / self._rate() + dual * self._sparse_seconds()

    def score_seconds(self, *, decayed: bool) -> float:
        """Time of scoring every user once, without the ranking, which all scorers need."""
        dual = self.num_users < self.num_items
        dense = 2 * self.num_users * self.matrix**2 / self._rate() if dual and decayed else 0.0
        return dense + self._sparse_seconds()

    def _sparse_seconds(self) -> float:
        return 2 * self.num_pairs * self.matrix / (SPARSE_RATE * THREADS)

    def _rate(self) -> float:
        return THREADS * (FLOAT64_RATE if self.matrix <= FLOAT64_SIZE else FLOAT32_RATE)


def ease_plan(
    tuning: Size, final: Size, settings: int, decays: int, budget: BaselineBudget
) -> Plan:
    """Fit each setting to all users, to a sample, or not at all.

    Args:
        tuning: what settings are compared on.
        final: what the chosen one is fitted to.
        settings: to choose from.
        decays: of histories that are tried with each setting; 0 where rows have no times.
        budget: what may be taken.
    """
    last = final.fit_seconds() + final.score_seconds(decayed=decays > 0)
    limit, sample_users, size = 60 * budget.minutes, None, tuning
    seconds = last + _choice_seconds(size, settings, decays)
    if seconds > limit:
        sample_users, size = SAMPLE_USERS, tuning.sample()
        seconds = last + _choice_seconds(size, settings, decays)
    gigabytes = max(size.gigabytes(), final.gigabytes())
    rows = f"{final.matrix:,}"
    takes = f"{rows} x {rows} Gram matrix, about {gigabytes:.1f} GB and {_minutes(seconds)}"
    if seconds > limit or gigabytes > budget.gigabytes:
        limits = f"{budget.gigabytes:g} GB and {budget.minutes:g} min"
        return Plan(obstacle=f"{takes}, beyond the {limits} of refit.baseline_budget")
    return Plan(sample_users=sample_users, notice=takes if seconds > NOTICE_SECONDS else "")


def _choice_seconds(size: Size, settings: int, decays: int) -> float:
    # Those of a sample are scored like new users: by their histories, even without a decay.
    plain, decayed = (size.score_seconds(decayed=d) for d in (size.share < 1, True))
    return settings * (size.fit_seconds() + size.share * (plain + decays * decayed))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
