"""A repository in which `dvc repro` has run, and copies of it for tests that change things."""

from pathlib import Path

import pytest

from tests.pipeline.project import Project, create


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two commits: the shop, and what `dvc repro` made of it. Not to be changed."""
    project = create(tmp_path_factory.mktemp("finished") / "shop")
    project.dvc("repro")
    project.commit("Lock the pipeline")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished repository, to be changed."""
    return finished.copy(tmp_path / "shop")


@pytest.fixture
def unsearched(project: Project) -> Project:
    """A copy with prepared data in which no search has run."""
    project.forget_the_search()
    return project
