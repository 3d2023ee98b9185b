"""A study as MLflow shows it, and the note beside the live study that it is tracked.

.hpo/<identity>/<provenance>/tracking.json   written when a tracked search starts
.hpo/<identity>/<provenance>/tracking.lock   held by the process that publishes the study
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from twotower.common.errors import TrackingError
from twotower.common.files import json_text, sha256_text, write_text
from twotower.common.paths import live_folder
from twotower.common.secrets import without_credentials
from twotower.config.reporting import MlflowConfig
from twotower.tracking.mlflow_store import TRACKING_URI

if TYPE_CHECKING:
    from twotower.search.identity import Fingerprint

NOTE = "tracking.json"
LOCK = "tracking.lock"
USER_TAG = "mlflow.user"
MIXED = "-mixed"
"""End of the key of a study that may hold trials of several provenances."""
DATASETS = {"train": "training", "validation": "validation"}
"""Splits that a search reads, and what each is used for in MLflow's terms."""
MODEL_SECTIONS = ("model", "train")
"""Sections of hyperparameters, which the best trial replaces."""
MAX_DIGEST = 36
"""Characters that MLflow accepts as the digest of a data set."""


@dataclass(frozen=True)
class TrackedStudy:
    """What MLflow shows of a study, and where.

    Attributes:
        key: identifies the study in MLflow; the same in any clone and on any machine, and when
            the study is resumed or grown.
        name: of its run.
        objective: name of the metric that is optimised, or the first one.
        store: section `mlflow`: store and experiment.
        params: the settings of the study by dotted name; they never change.
        defaults: hyperparameters that trials do not set, as far as they are known.
        tags: the identity of data, code and libraries.
        digests: hexadecimal digest of each split that the search reads.
        row_counts: rows of each of these splits; empty if unknown.
        columns: Parquet's type of each column of these splits; empty if unknown.
        live_name: of the live study, unique in its database.
        further_objectives: names of the others, if there are several.
    """

    key: str
    name: str
    objective: str
    store: MlflowConfig
    params: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    row_counts: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    live_name: str = ""
    further_objectives: tuple[str, ...] = ()

    def store_with_credentials(self, config: MlflowConfig) -> MlflowConfig:
        """The study's store; where it is that of `config`, with its URI: notes omit credentials."""
        uri = _configured_uri(config)
        is_same = without_credentials(uri) == self.store.tracking_uri
        return self.store.model_copy(update={"tracking_uri": uri}) if is_same else self.store

    def has_results(self, results: Mapping[str, Any]) -> bool:
        """Whether a results file of the hpo stage is of this study, and made by the same code."""
        versions = dict(results["provenance"])
        # `hpo.on_drift: resume` keeps a study apart that need not be mixed.
        if versions.pop("mixed") and not self.key.endswith(MIXED):
            return False
        expected = _version_tags(versions) | {"twotower.identity": results["identity"]}
        return expected.items() <= self.tags.items()


def describe_study(
    name: str,
    store: MlflowConfig,
    identity: "Fingerprint",
    provenance: "Fingerprint",
    version: str,
    *,
    settings: Mapping[str, Any] | None = None,
) -> TrackedStudy:
    """The study of an identity and a provenance.

    Args:
        name: of its run.
        store: where it is logged.
        identity: what its trials are a function of.
        provenance: code, libraries and CPU capability that compute them.
        version: tells studies of the same identity apart.
        settings: all of the configuration that the identity, which omits defaults, stems from.
    """
    data = identity.values["data"]
    values = {key: v for key, v in identity.values.items() if key not in ("data", *MODEL_SECTIONS)}
    given = dict(settings or {})
    defaults = [given.pop(name, {}) | identity.values.get(name, {}) for name in MODEL_SECTIONS]
    return TrackedStudy(
        key=f"{identity.digest[:32]}-{version}",
        name=name,
        objective=identity.values["objective"],
        store=store,
        params={**dict(_flat(given)), **dict(_flat(values))},
        defaults={name: str(v) for section in defaults for name, v in section.items()},
        tags={
            "mlflow.source.name": "stages/hpo.py",
            "mlflow.source.type": "LOCAL",
            "twotower.data": sha256_text(json_text(data, indent=None)),
            "twotower.identity": identity.digest,
            "twotower.provenance": provenance.digest,
            **_version_tags(provenance.values),
        },
        digests={split: data[f"{split}.parquet"][:MAX_DIGEST] for split in DATASETS},
        further_objectives=tuple(name for name, _ in identity.values.get("objectives", [])[1:]),
    )


def write_note(folder: Path, study: TrackedStudy) -> None:
    """Note beside the live study in `folder` that it is tracked; without credentials.

    Raises:
        OSError: if the folder cannot be written to.
    """
    uri = without_credentials(_configured_uri(study.store))
    store = study.store.model_copy(update={"tracking_uri": uri})
    content = TypeAdapter(TrackedStudy).dump_json(replace(study, store=store), indent=2)
    write_text(folder / NOTE, content.decode() + "\n")


def read_note(folder: Path) -> TrackedStudy:
    """Read a note that `write_note` wrote.

    Raises:
        TrackingError: if it is damaged.
    """
    path = folder / NOTE
    try:
        values = json.loads(path.read_bytes())
        return TypeAdapter(TrackedStudy).validate_python(_upgraded(values))
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        msg = f"{path}: not a valid note of a tracked search ({reason}); delete it"
        raise TrackingError(msg) from None


def tracked_folders(root: Path) -> Iterator[Path]:
    """Folders of the tracked live studies of the repository at `root`, the latest first."""
    notes = live_folder(root).glob(f"*/*/{NOTE}")
    yield from (note.parent for note in sorted(notes, key=_age))


def _upgraded(note: Any) -> Any:
    """The note in today's format; the first one had the study in a part `search`."""
    if "search" not in note:
        return note
    search = note["search"]
    rows = {entry["name"]: entry["num_rows"] for entry in search["datasets"]}
    return {
        "key": search["key"],
        "name": search["study_name"],
        "objective": note["objective"],
        "store": note["config"],
        "params": search["params"],
        "tags": search["tags"],
        "digests": {entry["name"]: entry["digest"] for entry in search["datasets"]},
        "row_counts": {name: count for name, count in rows.items() if count is not None},
        "live_name": note["study_name"],
    }


def _version_tags(provenance: Mapping[str, object]) -> dict[str, str]:
    return {f"twotower.version.{name}": str(value) for name, value in provenance.items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves by dotted name; lists are leaves."""
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{prefix}{name}", text


def _configured_uri(config: MlflowConfig) -> str | None:
    return config.tracking_uri or os.environ.get(TRACKING_URI)


def _age(note: Path) -> tuple[float, str]:
    return -note.stat().st_mtime, note.as_posix()
