"""The errors a user can cause and fix, and what a command line shows of them.

TwoTowerError
├── ConfigError       params.yaml or a command-line flag
├── DataError         an input file
├── SearchError       a study that cannot be run, resumed or read
├── TrainingError     a training run that diverged
├── ArtifactError     a folder that does not hold a model
├── TrackingError     an MLflow store that does not answer
├── RegistryError     a model that cannot be registered, compared or promoted
│   └── ComparisonError   models that cannot be compared: one was trained on test rows, say
├── ExportError       a database that does not answer, or holds what is not ours
├── VerificationError a pipeline that cannot be run again in a scratch clone
└── RequestError      a request that a model cannot answer
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twotower.common.bounded import bounded
from twotower.common.printable import printable_lines
from twotower.common.quiet_start import INTERRUPTED
from twotower.common.secrets import mask_credentials

NO_PLACE = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.ENOSPC, errno.EROFS,
            errno.ELOOP, errno.ENAMETOOLONG}  # fmt: skip
"""Errors of a disk that is full or may not be written to, and of names that it does not take."""


class TwoTowerError(Exception):
    """Root of all errors whose message alone tells the user what to do, in a screen at most."""

    def __init__(self, message: object) -> None:
        super().__init__(bounded(str(message)))


class ConfigError(TwoTowerError):
    """A parameter is unknown, of the wrong type, out of range, or contradicts another."""


class DataError(TwoTowerError):
    """An input file is missing, unreadable, or breaks a rule."""


class SearchError(TwoTowerError):
    """A study cannot be run, resumed or read."""


class TrainingError(TwoTowerError):
    """The loss or the scores stopped being finite."""


class ArtifactError(TwoTowerError):
    """A model folder is missing, incomplete, or of another format."""


class TrackingError(TwoTowerError):
    """An MLflow store does not answer, or cannot be used."""


class RegistryError(TwoTowerError):
    """A model cannot be registered, compared or promoted."""


class ComparisonError(RegistryError):
    """Two models cannot be compared: one was trained on test rows, or there are none to score."""


class ExportError(TwoTowerError):
    """A destination of vectors does not answer, refuses, or holds what `export` did not make."""


class VerificationError(TwoTowerError):
    """A pipeline cannot be run again in a scratch clone of its commit."""


class RequestError(TwoTowerError):
    """A request to a model is malformed: ids of the wrong type, a length out of range."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a user's mistake or a full disk into a message and status 1, Ctrl-C into one and 130.

    SIGTERM, where it is listened to, is as Ctrl-C, with status 143.

    What reads the output may end first (`| head`): then the command ends too, without a word.
    It is one line, but for several problems of raw files, which have a line each.

    Letters that the output's encoding lacks (a pipe on Windows has few) are escaped, as on stderr.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except TwoTowerError as error:
        text = printable_lines(mask_credentials(str(error)))
        print(f"error: {text}", file=sys.stderr)  # noqa: T201 - a command's own output
        raise SystemExit(1) from None
    except BrokenPipeError:
        if not _has_lost_stdout():
            raise
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        path = error.filename2 or error.filename  # the second is where a copy goes
        where = f"{path}: " if path else ""
        print(f"error: {where}{error.strerror}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    except KeyboardInterrupt as error:
        print(INTERRUPTED, file=sys.stderr)  # noqa: T201
        raise SystemExit(getattr(error, "status", 130)) from None


def _has_lost_stdout() -> bool:
    """Whether nobody reads standard output; what is left for it then goes nowhere."""
    try:
        print(flush=True)  # noqa: T201 - what is asked: can it be written to?
    except BrokenPipeError:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # or Python complains as it ends
        return True
    return False
