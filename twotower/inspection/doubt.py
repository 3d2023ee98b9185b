"""What an inspection is not sure of."""

from typing import NamedTuple


class Doubt(NamedTuple):
    """One thing that a person should look at.

    Attributes:
        key: path below `data` of the parameter that settles it.
        text: a sentence without its full stop.
    """

    key: tuple[str, ...]
    text: str


def of_column(role: str, text: str) -> Doubt:
    """A doubt about the column of a role."""
    return Doubt(("interactions", "columns", role), text)
