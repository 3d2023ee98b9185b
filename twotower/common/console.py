"""What every command line shares: one line for a user's mistake, a traceback for a bug."""

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from twotower.common.errors import TwoTowerError

NO_PLACE = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.ENOSPC, errno.EROFS}
"""Errors of a disk that is full or may not be written to."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a user's mistake or a full disk into one line and status 1, Ctrl-C into one and 130.

    Letters that the output's encoding lacks (a pipe on Windows has few) are escaped, as on stderr.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    except TwoTowerError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command line's own output
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept", file=sys.stderr)  # noqa: T201
        raise SystemExit(130) from None
