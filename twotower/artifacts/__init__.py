"""The only writer and loader of `.artifacts_best/`."""

from twotower.artifacts.folder import (
    ARTIFACTS,
    FORMAT_VERSION,
    META,
    Artifacts,
    load_artifacts,
    measure_index,
    verify_artifacts,
    write_artifacts,
)
from twotower.artifacts.ids import Id, IdColumn

__all__ = [
    "ARTIFACTS",
    "FORMAT_VERSION",
    "META",
    "Artifacts",
    "Id",
    "IdColumn",
    "load_artifacts",
    "measure_index",
    "verify_artifacts",
    "write_artifacts",
]
