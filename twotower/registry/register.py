"""Registers a model folder as a new version, the candidate."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twotower.artifacts import load_artifacts
from twotower.common.errors import RegistryError
from twotower.common.files import read_json
from twotower.common.progress import step
from twotower.data.prepared import read_parts
from twotower.registry.training_rows import training_frame
from twotower.registry.versions import CANDIDATE, MODEL_TAG, Registry, version_tags


def register(registry: Registry, folder: Path, prepared: Path, metrics: Path) -> tuple[int, bool]:
    """Register a model folder, unless it is a version already; either way it is the candidate.

    Args:
        registry: of the models.
        folder: of the model.
        prepared: data that it was trained on.
        metrics: JSON file of test metrics, shown at the version's run.

    Returns:
        The number of the version, and whether it is new.

    Raises:
        ArtifactError: if the folder is damaged.
        RegistryError: if the model was trained on other data, or the metrics cannot be read.
    """
    with step("checking model and data"):
        artifacts = load_artifacts(folder)
        artifacts.check_rest()
        trained_on = training_frame(artifacts, read_parts(prepared))
    tags = version_tags(artifacts, prepared)
    for version in registry.versions():
        if version.tags.get(MODEL_TAG) == tags[MODEL_TAG]:
            registry.set_alias(CANDIDATE, version)
            return int(version.version), False
    numbers = dict(_numbers(_read_metrics(metrics), "test"))
    with step("uploading"):
        return int(registry.register(artifacts, trained_on, tags, numbers).version), True


def _read_metrics(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); run dvc repro refit"
        raise RegistryError(msg) from None


def _numbers(values: Any, prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers in nested mappings, by path."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _numbers(value, f"{prefix}/{name}")
    elif isinstance(values, int | float) and not isinstance(values, bool):
        yield prefix, float(values)
