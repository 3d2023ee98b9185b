"""How a broken promise is reported, and what is promised of any message."""

LINES = 60
CHARACTERS = 1_000
"""Of a line: a rule with the choices that there are, and what was given, cut short."""


def insist(holds: object, broken: str) -> None:
    """Report a promise as broken, in these words, unless it holds.

    Raises:
        AssertionError: if it does not.
    """
    if not holds:
        raise AssertionError(broken)


def insist_bounded(error: Exception) -> None:
    """Insist that a message says something, and fits a screen or two.

    Raises:
        AssertionError: if it is empty or too long.
    """
    text = str(error)
    lines = text.splitlines()
    insist(text.strip(), f"{type(error).__name__} without a message")
    insist(len(lines) <= LINES, f"a message of {len(lines)} lines: {text[:200]}")
    longest = max(map(len, lines))
    insist(longest <= CHARACTERS, f"a line of {longest} characters: {text[:200]}")
