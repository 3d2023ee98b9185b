"""Which studies were to be tracked, and where: a note beside each live study.

.hpo/<identity>/<provenance>/tracking.json   written when a tracked search starts
.hpo/<identity>/<provenance>/tracking.lock   held while somebody logs the study
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from twotower.common.errors import TrackingError
from twotower.common.files import write_text
from twotower.common.paths import live_folder
from twotower.config.outputs import MlflowConfig
from twotower.tracking.records import SearchInfo

NOTE = "tracking.json"
LOCK = "tracking.lock"
MIXED = "-mixed"
"""End of the key of a study that may hold trials of several provenances."""


@dataclass(frozen=True)
class TrackedStudy:
    """A study that was to be tracked.

    Attributes:
        study_name: of the live study, unique in its database.
        objective: name of the metric that is searched for.
        config: where it was to be logged.
        search: what was to be logged of it.
    """

    study_name: str
    objective: str
    config: MlflowConfig
    search: SearchInfo


def write_note(folder: Path, study: TrackedStudy) -> None:
    """Note beside the live study in `folder` that it is tracked.

    Raises:
        OSError: if the folder cannot be written to.
    """
    values = asdict(study) | {"config": study.config.model_dump(mode="json")}
    write_text(folder / NOTE, json.dumps(values, indent=2) + "\n")


def read_note(folder: Path) -> TrackedStudy:
    """What `write_note` wrote.

    Raises:
        TrackingError: if it is damaged.
    """
    path = folder / NOTE
    try:
        return TypeAdapter(TrackedStudy).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{path}: not a note of a tracked search ({str(error).splitlines()[0]}); delete it"
        raise TrackingError(msg) from None


def tracked_folders(root: Path) -> Iterator[Path]:
    """Folders of the tracked live studies of a repository, the latest first.

    Args:
        root: of the repository.
    """
    notes = live_folder(root).glob(f"*/*/{NOTE}")
    yield from (note.parent for note in sorted(notes, key=_age))


def version_tags(provenance: Mapping[str, object]) -> dict[str, str]:
    """Code, libraries and CPU capability of a study, as tags."""
    return {f"twotower.version.{name}": str(value) for name, value in provenance.items()}


def is_result_of(results: Mapping[str, Any], study: TrackedStudy) -> bool:
    """Whether a results file of the search is that of the study, whose code may be another.

    A study that `hpo.on_drift: resume` keeps apart need not be mixed.
    """
    tags, versions = study.search.tags, dict(results["provenance"])
    if versions.pop("mixed") and not study.search.key.endswith(MIXED):
        return False
    wanted = version_tags(versions) | {"twotower.identity": results["identity"]}
    return wanted.items() <= tags.items()


def _age(note: Path) -> tuple[float, str]:
    return -note.stat().st_mtime, note.as_posix()
