"""What the documents tell a reader to type is typed, in a repository where the pipeline has run.

It has the sample data and the parameters that go with it, but fewer trials, so that figures differ
and output is compared without them. `my/exports` has a till's exports. Each document begins anew.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.documents.blocks import blocks, documents
from tests.documents.reader import Reader
from tests.inspection.exports import spanish
from tests.pipeline.project import Project, create_sample

QUICKER = {
    "train.epochs": 1,
    "hpo.n_trials": 3,
    "hpo.search_space.epochs.low": 1,
    "hpo.search_space.epochs.high": 2,
    "refit.seeds": 1,
    "visualize.static": "never",
}
REPRO, BASELINE = "dvc repro", "dvc exp run --temp -S hpo.n_trials=1 -n baseline"
"""What has been typed before, because several documents build on it."""
RUN = [
    name
    for name in documents()
    if any(b.language in ("console", "python") and not b.why_not_run for b in blocks(name))
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"),
]


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A folder with a repository, `clone`, and what was printed there, `printed.json`.

    It takes a minute, so the processes of one test run share it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "documented"
    printed = folder / "printed.json"
    with FileLock(folder.with_suffix(".lock")):
        if not printed.exists():
            project = create_sample(folder / "clone")
            project.git("branch", "--move", "main")
            project.path("my/exports").mkdir(parents=True)
            spanish(project.path("my/exports"))
            shutil.copy(empty_mlflow, project.path("mlflow.db"))
            for key, value in QUICKER.items():
                project.set(key, value)
            outputs = {REPRO: project.run(*REPRO.split())}
            project.commit("Lock the pipeline")
            outputs[BASELINE] = project.run(*BASELINE.split())
            printed.write_text(json.dumps(outputs), encoding="utf-8")
    return folder


@pytest.mark.parametrize("document", RUN)
def test_a_document_can_be_followed(document: str, before: Path, tmp_path: Path) -> None:
    printed = json.loads((before / "printed.json").read_text(encoding="utf-8"))
    reader = Reader(Project(before / "clone").copy(tmp_path / "clone"), printed)
    reader.follow(blocks(document))
    assert not reader.stumbles, "\n\n".join(reader.stumbles)
