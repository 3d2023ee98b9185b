"""A search that runs here, as MLflow shows it."""

import getpass
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from twotower.common.errors import TrackingError
from twotower.tracking.git import git_tags
from twotower.tracking.tracked_study import (
    NOTE,
    USER_TAG,
    TrackedStudy,
    describe_study,
    read_note,
)

if TYPE_CHECKING:
    from twotower.config import Config
    from twotower.search.store.location import StudyLocation


def describe_search(
    config: "Config", location: "StudyLocation", row_counts: Mapping[str, int]
) -> TrackedStudy:
    """The study of a search that starts, resumes or grows, on the prepared data.

    Args:
        config: all of params.yaml.
        location: of the study.
        row_counts: rows of the data, as the objective counts them.
    """
    from twotower.data.prepared import PREPARED

    hpo = config.hpo
    sections = {"evaluate": config.evaluate, "model": config.model, "train": config.train}
    sections |= {"pruner": hpo.pruner, "sampler": hpo.sampler}
    study = describe_study(
        _run_name(config, location),
        config.mlflow,
        location.identity,
        location.provenance,
        location.version,
        settings={name: section.model_dump(mode="json") for name, section in sections.items()},
    )
    return replace(
        study,
        tags={**study.tags, **git_tags(), **_user_tag()},
        row_counts={split: row_counts[f"num_{split}_rows"] for split in study.digests},
        columns={
            split: found
            for split in study.digests
            if (found := columns(PREPARED / f"{split}.parquet"))
        },
        live_name=location.study_name(hpo),
    )


def _run_name(config: "Config", location: "StudyLocation") -> str:
    """Data, study and date of a search that begins; one that goes on keeps its name."""
    if (location.folder / NOTE).exists():
        with suppress(TrackingError):
            return read_note(location.folder).name
    data = Path(config.data.root).resolve().name
    return f"{data} {config.hpo.study_name} {datetime.now().astimezone():%Y-%m-%d %H:%M}"


def _user_tag() -> dict[str, str]:
    """Who runs the search; {} where the system does not say."""
    try:
        return {USER_TAG: getpass.getuser()}
    except (OSError, ImportError, KeyError):  # before and from Python 3.13 on
        return {}


def columns(table: Path) -> dict[str, str]:
    """Parquet's type of each column of a table; {} without one."""
    import pyarrow.parquet as pq

    if not table.exists():
        return {}
    schema = pq.read_schema(table)
    return {name: str(schema.field(name).type) for name in schema.names}
