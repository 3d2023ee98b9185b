"""Section `refit`: the final model, and what it is compared with."""

from typing import Annotated, Literal

from pydantic import AfterValidator, PositiveFloat, PositiveInt

from twotower.common.choices import OneOf
from twotower.config.indexes import INDEXES
from twotower.config.section import Section, Text

EXTRA_BASELINES = ("ials",)
"""Baselines that take longer than all others; their rows are in `baselines/baseline.py`."""


class BaselineBudget(Section):
    """Section `refit.baseline_budget`: what a baseline may take; one that needs more is left out.

    Both are estimated from the size of the data, for two cores, before it starts.
    """

    gigabytes: PositiveFloat = 8.0
    """Memory that a baseline may take, beside that of the process."""
    minutes: PositiveFloat = 5.0
    """Time that a baseline may take, to choose its setting and to be fitted."""


def _in_a_line(text: str) -> str:
    words = text.split()
    if not words:
        msg = "must not be blank"
        raise ValueError(msg)
    return " ".join(words)


Line = Annotated[Text, AfterValidator(_in_a_line)]


class CardConfig(Section):
    """Section `refit.card`: what only people know of the model, for its model_card.md."""

    name: Line = "two-tower"
    """What the model is called."""
    dataset: Line | None = None
    """What the data is called; null: interactions."""
    license: Line | None = None
    """Terms of use of the model, as Hugging Face's hub abbreviates them: mit, cc-by-4.0, other."""


class RefitConfig(Section):
    """Section `refit`: what the shipped model is trained on."""

    final: Literal["train_validation", "all"] = "train_validation"
    """`all`: the shipped model is also trained on the test rows; the test metrics are those of a
    model trained without them."""
    score_test: bool = True
    """false: the test split is not scored, so that exploration cannot overfit it."""
    index: Annotated[str, AfterValidator(INDEXES.check)] | None = None
    """Approximate index of the item vectors, for serving; usearch requires the extra `index`."""
    seeds: PositiveInt = 3
    """Training runs with different seeds whose test scores are compared; the first is shipped."""
    extra_baselines: tuple[Annotated[str, AfterValidator(OneOf(lambda: EXTRA_BASELINES))], ...] = ()
    """Baselines to compare with besides those of every run."""
    baseline_budget: BaselineBudget = BaselineBudget()
    """What a baseline may take."""
    card: CardConfig = CardConfig()
    """Of its model_card.md."""
