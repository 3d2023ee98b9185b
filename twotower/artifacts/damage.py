"""What is said of a folder that holds no model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from twotower.artifacts.meta import RENEW
from twotower.common.bounded import one_line
from twotower.common.errors import ArtifactError, DataError

DAMAGE = (
    *(pa.ArrowException, DataError, OSError, ValueError, KeyError, TypeError, AttributeError),
    *(IndexError, OverflowError, MemoryError, RecursionError),
)
"""What reading files raises that hold something else than they should."""


@contextmanager
def damage_named(folder: Path) -> Iterator[None]:
    """Turn what reading a damaged folder raises into an ArtifactError of one line."""
    try:
        yield
    except DAMAGE as error:
        raise damaged(folder, error) from None


def damaged(folder: Path, error: Exception) -> ArtifactError:
    """The error of a folder that holds no model."""
    return ArtifactError(f"{folder}: not a complete model folder ({one_line(error)}); {RENEW}")
