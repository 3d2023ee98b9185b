"""What the attacks on whole runs share."""

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.conftest import finished  # noqa: F401 - an undisturbed run
from tests.pipeline.project import Project

if TYPE_CHECKING:
    from benchmarks.chaos.workshop import Workshop


@pytest.fixture(scope="session")
def workshop(
    finished: Project,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> "Workshop":
    """A workshop whose undisturbed run is the one that the tests of the pipeline share."""
    from benchmarks.chaos import workshop  # it needs the signals of POSIX

    shop = workshop.Workshop(tmp_path_factory.mktemp("chaos"))
    shop.finished = workshop.Project(finished.copy(shop.folder / "finished").root)
    shop.began = shop.finished.root.joinpath("params.yaml").stat().st_mtime
    return shop
