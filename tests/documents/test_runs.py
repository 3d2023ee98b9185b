"""What the documents tell a reader to type is typed, in a repository where the pipeline has run.

It has the sample data and the parameters that go with it, but fewer trials, so that figures differ
and output is compared without them. The README comes first; others go on where it ends.
"""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.documents.blocks import blocks, documents
from tests.documents.reader import REPRO_LOG, Reader, keep_log
from tests.pipeline.project import Project, create_sample

QUICKER = {"hpo.n_trials": 4, "refit.seeds": 2, "visualize.static": "never"}
README = "README.md"
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
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository, `shop`, in which the README was followed, and `stumbles.txt`.

    The processes of one test run share it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "read"
    stumbles = folder / "stumbles.txt"
    with FileLock(folder.with_suffix(".lock")):
        if not stumbles.exists():
            project = create_sample(folder / "shop")
            for key, value in QUICKER.items():
                project.set(key, value)
            keep_log(project, project.dvc("repro"))
            project.commit("Lock the pipeline")
            reader = Reader(project)
            reader.follow(README)
            project.git("restore", ".")
            project.git("clean", "--force", "--quiet", "-d")
            project.dvc("checkout", "--quiet", "--force")
            shutil.rmtree(project.path(".dvc-remote"), ignore_errors=True)  # others push as well
            stumbles.write_text("\n\n".join(reader.stumbles), encoding="utf-8")
    return folder


def test_the_readme_can_be_followed(read: Path) -> None:
    stumbles = (read / "stumbles.txt").read_text(encoding="utf-8")
    assert not stumbles, stumbles


@pytest.mark.parametrize("document", [name for name in RUN if name != README])
def test_a_document_can_be_followed(document: str, read: Path, tmp_path: Path) -> None:
    shutil.copy(read / REPRO_LOG, tmp_path)
    reader = Reader(Project(read / "shop").copy(tmp_path / "shop"))
    reader.follow(document)
    assert not reader.stumbles, "\n\n".join(reader.stumbles)
