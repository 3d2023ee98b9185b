"""Which arm of an experiment a user is in."""

import hashlib
import json
import operator

from twotower.common.errors import ConfigError

PLACES = 2.0**64
"""Among which users are spread evenly."""


def assign(user: int | str, name: str, share: float) -> bool:
    """Whether a user of an experiment gets the treatment; else the control.

    The same on every machine and in every process, whoever asks and in whatever order. As the share
    grows, users move from the control to the treatment and none moves back. The arms of experiments
    with different names are independent.

    Args:
        user: the integer 42 and the text "42" are different users, as everywhere.
        name: of the experiment.
        share: of the users that get the treatment, in [0, 1].

    Raises:
        ConfigError: if the share is not in [0, 1], the name is empty, or the user is neither an
            integer nor text.
    """
    if not 0 <= share <= 1:
        msg = f"share of an experiment: must be in [0, 1], not {share!r}"
        raise ConfigError(msg)
    if not name:
        msg = "name of an experiment: must not be empty"
        raise ConfigError(msg)
    return _place(_key(user), name) < share * PLACES


def _place(user: int | str, name: str) -> int:
    """Evenly spread over [0, PLACES)."""
    digest = hashlib.sha256(json.dumps([name, user]).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _key(user: int | str) -> int | str:
    """What JSON writes as a number or as text: NumPy's integers are integers, too."""
    if isinstance(user, str):
        return str(user)
    try:
        if not isinstance(user, bool):
            return operator.index(user)
    except TypeError:
        pass
    msg = f"user of an experiment: must be an integer or text, not {type(user).__name__}"
    raise ConfigError(msg)
