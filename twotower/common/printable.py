"""Text from files, as terminals and comments may show it."""


def printable(text: str) -> str:
    """The text with control characters escaped: terminals obey them, YAML refuses them."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """The same of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))
