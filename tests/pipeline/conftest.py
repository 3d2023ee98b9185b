"""A repository in which `dvc repro` has run, and copies of it for tests that change things."""

from pathlib import Path

import pytest

from tests.conftest import made_once
from tests.pipeline.project import Project, create

QUICK = (
    "test_every_declared_output_is_there",
    "test_the_documented_",
    "test_everything_is_committed_or_ignored",
    "test_a_second_run_does_nothing",
    "test_no_file_of_the_pipeline_has_a_secret",
    "test_the_search_for_canaries_finds",
    "test_ids_come_out_as_they_went_in",
    "test_a_parameter_concerns_its_stages",
    "test_the_search_depends_on_no_test_file",
    "test_other_test_rows_leave_all_that_the_search_reads",
    "test_an_unusable_flag_is_shown_with_the_usage",
    "test_a_wrong_value_is_one_line",
    "test_a_mistake_in_the_parameters_is_one_line",
)
"""Tests that share one finished pipeline and run no search of their own."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of this folder."""
    if item.path.is_relative_to(Path(__file__).parent):
        item.add_marker(pytest.mark.pipeline)
        if not item.name.startswith(QUICK):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two commits: the shop, and what the stages made of it. Not to be changed.

    The stages run by themselves; test_surroundings.py has `dvc repro` end with the same lock and
    the same bytes.
    """

    def make(folder: Path) -> None:
        project = create(folder / "shop")
        log = project.all_stages()
        log += project.dvc("commit", "--force")
        (folder / "repro.log").write_text(log, encoding="utf-8")
        project.commit("Lock the pipeline")

    return Project(made_once(tmp_path_factory, "finished", make) / "shop")


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished repository, to be changed."""
    return finished.copy(tmp_path / "shop")


@pytest.fixture
def unsearched(project: Project) -> Project:
    """A copy with prepared data in which no search has run."""
    project.forget_the_search()
    return project
