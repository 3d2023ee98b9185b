"""What every command line shares: one line for a user's mistake, a traceback for a bug."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from twotower.common.errors import TwoTowerError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a TwoTowerError into its message on standard error and exit status 1."""
    try:
        yield
    except TwoTowerError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command line's own output
        raise SystemExit(1) from None
