"""The only writer and loader of `.artifacts_best/`."""

from twotower.artifacts.folder import (
    ARTIFACTS,
    FORMAT_VERSION,
    Artifacts,
    load_artifacts,
    write_artifacts,
)
from twotower.artifacts.ids import Id, IdColumn

__all__ = [
    "ARTIFACTS",
    "FORMAT_VERSION",
    "Artifacts",
    "Id",
    "IdColumn",
    "load_artifacts",
    "write_artifacts",
]
