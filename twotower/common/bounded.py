"""Messages that fit a screen, whatever they quote: a value may be a megabyte long."""

VALUE = 80
"""Characters that are shown of a value."""
LINE = 1_000
"""Characters of a line; of a longer one, its beginning and its end, which often says what to do."""
LINES = 50
"""Lines of a message."""


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


def bounded(message: str) -> str:
    """A message without the middle of long lines, and without those lines that are too many."""
    if len(message) <= LINE:
        return message
    lines = message.split("\n")
    more = len(lines) - LINES
    lines = [_without_middle(line) for line in lines[:LINES]]
    return "\n".join([*lines, f"… and {more:,} more lines"] if more > 0 else lines)


def _without_middle(line: str) -> str:
    end = LINE // 4
    return line if len(line) <= LINE else f"{line[: LINE - end - 3]} … {line[-end:]}"
