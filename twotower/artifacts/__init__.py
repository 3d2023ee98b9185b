"""The only writer and loader of `.artifacts_best/`."""

from twotower.artifacts.copy import copy_model
from twotower.artifacts.folder import (
    Artifacts,
    load_artifacts,
    measure_index,
    verify_artifacts,
)
from twotower.artifacts.ids import Id, IdColumn
from twotower.artifacts.meta import FORMAT_VERSION, META, version_of
from twotower.artifacts.write import write_artifacts
from twotower.common.paths import ARTIFACTS

__all__ = [
    "ARTIFACTS",
    "FORMAT_VERSION",
    "META",
    "Artifacts",
    "Id",
    "IdColumn",
    "copy_model",
    "load_artifacts",
    "measure_index",
    "verify_artifacts",
    "version_of",
    "write_artifacts",
]
