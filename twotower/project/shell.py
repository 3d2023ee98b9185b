"""Words of command lines that are printed to be copied."""

import os
import shlex


def quoted(word: str) -> str:
    """A word as the system's usual shell takes it: in quotes, if it needs them.

    Args:
        word: a path, say; on Windows none has a double quote in it.
    """
    if os.name != "nt":
        return shlex.quote(word)
    plain = all(letter.isalnum() or letter in "._-/\\:" for letter in word)
    return word if plain and word else f'"{word}"'
