"""Messages that fit a screen, whatever they quote: a value may be a megabyte long."""

VALUE = 80
"""Characters that are shown of a value."""
LINE = 1_000
"""Characters of a line; of a longer one, its beginning and its end, which often says what to do."""
LINES = 50
"""Lines of a message."""
REASON = 300
"""Characters of what a library says of a failure."""


def shown(value: object) -> str:
    """A value as Python writes it, cut short."""
    return shortened(repr(value))


def shortened(text: str, limit: int = VALUE) -> str:
    """The beginning of a text, with a mark where it does not end.

    Args:
        text: of any length.
        limit: characters of the result, at most.
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def one_line(error: object, limit: int = REASON) -> str:
    """What an error says, in a line; of one that says nothing, its type."""
    return shortened(" ".join(str(error).split()) or type(error).__name__, limit)


def bounded(message: str) -> str:
    """A message without the middle of long lines, and without those lines that are too many."""
    if len(message) <= LINE:
        return message
    lines = message.split("\n")
    more = len(lines) - LINES
    lines = [without_middle(line) for line in lines[:LINES]]
    return "\n".join([*lines, f"… and {more:,} more lines"] if more > 0 else lines)


def without_middle(line: str, limit: int = LINE) -> str:
    """The beginning and the end of a line, with a mark between them where something is missing."""
    end = limit // 2
    return line if len(line) <= limit else f"{line[: limit - end - 3]} … {line[-end:]}"
