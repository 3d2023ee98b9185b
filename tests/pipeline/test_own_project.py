"""A project of one's own, from a wheel that knows no checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.project import FAST, Project, create_sample, write_shop
from twotower.project.stage_code import RECORD

OTHER_CODE = "0" * 16


class Installed(Project):
    """A project whose commands run an installed package."""

    def __init__(self, root: Path, site: Path) -> None:
        super().__init__(root)
        self._site = site

    @property
    def environment(self) -> dict[str, str]:
        """The package that is installed, first."""
        programs = self._site / ("Scripts" if os.name == "nt" else "bin")
        outer = super().environment
        path = os.pathsep.join([str(programs), outer["PATH"]])
        return outer | {"PYTHONPATH": str(self._site), "PATH": path}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel of this checkout is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = create_sample(folder / "source")  # where setuptools may leave its files
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", ".", "--no-deps", "--no-build-isolation", "--wheel-dir", ".."]
    subprocess.run([*pip, *build], cwd=source.root, check=True)
    (wheel,) = folder.glob("*.whl")
    target = ["install", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([*pip, *target], check=True)
    return folder / "site"


def test_from_an_empty_folder_to_recommendations_and_an_upgrade(site: Path, tmp_path: Path) -> None:
    outside = Installed(tmp_path, site)
    write_shop(tmp_path / "exports")
    outside.git("init", "--quiet")  # the project is a folder of a repository
    outside.run("twotower", "init", "shop", "--data", "exports")
    shop = Installed(tmp_path / "shop", site)
    for section in ("model", "train", "hpo", "visualize"):
        for key, value in FAST[section].items():
            shop.set(f"{section}.{key}", value)
    shop.set("hpo.n_trials", 2)
    shop.set("refit.seeds", 1)
    shop.commit("A recommender")
    shop.dvc("repro")
    shop.commit("Lock the pipeline")
    shop.run("twotower", "recommend", "--users", "all", "--k", "3", "--out", "recs.csv")
    assert len(shop.read("recs.csv").splitlines()) > 100
    assert "test users" in shop.run("twotower", "compare", "HEAD", "workspace")
    _pretend_it_is_older(shop)
    assert "twotower init --upgrade" in shop.stage("prepare")
    said = shop.run("twotower", "init", "--upgrade")
    assert "dvc repro runs again: prepare" in said
    output = shop.dvc("repro")
    assert "Stage 'hpo' didn't change, skipping" in output
    assert "Running stage" not in output  # the code is again what the lock has


def _pretend_it_is_older(project: Project) -> None:
    record = json.loads(project.read(RECORD))
    record["stages"]["prepare"] = OTHER_CODE
    project.path(RECORD).write_text(json.dumps(record), encoding="utf-8")
