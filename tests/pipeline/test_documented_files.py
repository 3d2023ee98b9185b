"""docs/files.md names the keys and columns that a finished pipeline wrote, and no others."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.pipeline.project import Project
from twotower.baselines.baseline import BASELINES
from twotower.common.scorers import DEFAULT, MODEL, RANDOM
from twotower.evaluation.metrics import METRICS
from twotower.serving import Recommender
from twotower.serving.batch import BatchJob, write_batch

TEXT = (REPOSITORY / "docs/files.md").read_text(encoding="utf-8")
TABLES = {
    name: [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    for name, table in re.findall(r"### `(.*?)`\n(?:(?!\||#).*\n)*((?:\|.*\n)+)", TEXT)
}
"""By file, the rows of the table below its heading."""
NPY = re.findall(r"^\| `(\w+\.npy)` \| (\w+), (.*?) \|", TEXT, re.MULTILINE)
UNUSUAL = "Only "
"""Begins what is said of a key that not every pipeline writes."""


def keys_of(value: Any, above: str = "") -> Iterator[str]:
    """Dotted keys of what JSON holds, [] for those of a list's elements."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from keys_of(inner, f"{above}.{key}" if above else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from keys_of(inner, f"{above}[]")
    else:
        yield above


def written(path: Path) -> dict[str, str]:
    """Keys or columns of a file, with their types if they have any."""
    if path.suffix == ".json":
        return dict.fromkeys(keys_of(json.loads(path.read_text(encoding="utf-8"))), "")
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as handle:
            return dict.fromkeys(next(csv.reader(handle)), "")
    schema = pq.read_schema(path)
    return dict(zip(schema.names, map(str, schema.types), strict=True))


SCORERS = (MODEL, DEFAULT, RANDOM, *BASELINES)
NAMES = {
    "SCORER": "|".join(SCORERS),
    "METRIC": "|".join(f"{name}(?:_at_[0-9]+)?" for name in METRICS),
    "SPLIT": "train|validation|test|total|vocabulary",
    "COUNT": "num_[a-z_]+",
    "FILE": ".+",
}
"""What capitals stand for; others are any name."""


def pattern(documented: str) -> str:
    """Capitals are one part of a name, … is all that follows."""
    escaped = re.escape(documented).replace(re.escape("…"), ".+")
    return re.sub("[A-Z]{2,}", lambda name: f"(?:{NAMES.get(name[0], '[^.]+')})", escaped)


def finished_file(project: Project, name: str, folder: Path) -> Path:
    """A file of the pipeline; recommendations are written first."""
    if name != "recs.parquet":
        return project.path(name)
    model = Recommender.load(project.path(".artifacts_best"))
    write_batch(
        model, BatchJob(model.artifacts.user_ids, None, 2, exclude_seen=True), folder / name
    )
    return folder / name


@pytest.mark.parametrize("name", TABLES)
def test_the_documented_keys_are_those_of_the_file(
    finished: Project, name: str, tmp_path: Path
) -> None:
    found = written(finished_file(finished, name, tmp_path))
    rows = {row[0].strip("`"): row[1:] for row in TABLES[name]}
    patterns = {key: re.compile(pattern(key)) for key in rows}
    assert not [key for key in found if not any(p.fullmatch(key) for p in patterns.values())]
    usual = [key for key, cells in rows.items() if not cells[-1].startswith(UNUSUAL)]
    parents = {key.rpartition(".")[0] for key in rows}
    absent = [key for key in usual if not any(patterns[key].fullmatch(name) for name in found)]
    assert [key for key in absent if key not in parents] == []
    for key, kind in found.items():
        if kind:
            stated = next(rows[name][0] for name, p in patterns.items() if p.fullmatch(key))
            assert kind in stated.replace(",", " ").split()


def test_the_documented_arrays_have_these_types_and_shapes(finished: Project) -> None:
    folder = finished.path(".artifacts_best")
    meta = json.loads((folder / "model_meta.json").read_text(encoding="utf-8"))
    sizes = {"users": meta["num_users"], "items": meta["num_items"], "dim": meta["model"]["dim"]}
    sizes["users + 1"] = meta["num_users"] + 1
    present = [row for row in NPY if (folder / row[0]).exists()]
    assert {name for name, *_ in present} == {path.name for path in folder.glob("*.npy")}
    for name, kind, shape in present:
        array = np.load(folder / name)
        assert array.dtype == kind
        parts = zip(shape.split(" \u00d7 "), array.shape, strict=True)
        assert list(array.shape) == [sizes.get(part, size) for part, size in parts]


def test_the_documented_files_of_the_model_folder_are_those_that_there_are(
    finished: Project,
) -> None:
    folder = finished.path(".artifacts_best")
    table = TEXT.partition("## The model folder")[2].partition("###")[0]
    named = re.findall(r"^\| `(.*?)` \|.*?\| (.*?) \|$", table, re.MULTILINE)
    usual = {name for name, what in named if not what.rpartition("| ")[2].startswith(UNUSUAL)}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == usual
