"""Markdown tables, the document that holds them, and how far from the truth chance may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from benchmarks import markdown
from twotower.assessment.comparison import ALPHA
from twotower.assessment.intervals import LEVEL


@dataclass(frozen=True)
class Tables:
    """What a section of the benchmark found.

    Attributes:
        texts: Markdown tables, by the name that the document has for each.
        sound: whether the figures are within what chance does to a rule that keeps its level.
    """

    texts: Mapping[str, str]
    sound: bool


CHANCE = 0.001
"""That a figure is out of bounds by chance; there are more than a hundred."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "calibration.md"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], seeds: int | None = None) -> str:
    """Lines of Markdown, and the number of seeds below them."""
    lines = markdown.table(head, rows)
    return lines if seeds is None else f"{lines}\n\n{seeds:,} seeds."


def percent(share: float) -> str:
    """`4.3 %`."""
    return f"{share:.1%}".replace("%", " %")


def most_claims(seeds: int, alpha: float = ALPHA) -> float:
    """Share of claims that tests at a level exceed with a probability of CHANCE."""
    return float(stats.binom.isf(CHANCE, seeds, alpha) / seeds)


def least_covered(seeds: int, level: float = LEVEL) -> float:
    """Share of intervals below which the coverage falls with a probability of CHANCE."""
    return float(stats.binom.ppf(CHANCE, seeds, level) / seeds)
