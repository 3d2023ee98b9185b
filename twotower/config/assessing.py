"""Section `evaluate` as a whole: how rankings are scored, and what their comparison takes for one.

The first part is what a trial computes; a change here changes no study.
"""

from twotower.config.data import Column
from twotower.config.training import EvaluateConfig


class AssessConfig(EvaluateConfig):
    """Section `evaluate`: how a ranking is scored."""

    cluster: Column | None = None
    """Column of the users table that says who belong together, such as a household.

    Every test and interval over users then takes whole groups for independent, as accounts of one
    household are not; null: users.
    """
