"""Text from files, as terminals and comments may show it."""


def printable(text: str) -> str:
    """The text with control characters escaped: terminals obey them, YAML refuses them."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
