"""The weekly job, run as cron runs it, in a clone whose raw data DVC tracks."""

import shutil
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from tests.pipeline.project import N_TRIALS, Project

FETCH = """
import pandas as pd
events = pd.read_csv("data/shop/interactions.csv", dtype=str)
week = events.sample(60, random_state=1)
week["timestamp"] = (week["timestamp"].astype(int) + 10_000).astype(str)
pd.concat([events, week]).to_csv("data/shop/interactions.csv", index=False)
"""
NOTE = """
import pandas as pd
items = pd.read_csv("data/shop/items.csv", dtype=str)
items.assign(note="x").to_csv("data/shop/items.csv", index=False)
"""
"""A column that nobody reads: other data, of which the same is trained."""


@pytest.fixture
def author(project: Project, empty_mlflow: Path, tmp_path: Path) -> Project:
    """A pushed run of the pipeline, its raw data kept by DVC."""
    project.set("refit.seeds", 1)
    project.git("rm", "-r", "--quiet", "--cached", "data/shop")
    project.dvc("add", "--quiet", "data/shop")
    project.path("fetch.py").write_text(FETCH, encoding="utf-8")
    project.commit("A run")
    project.dvc("push", "--quiet")
    project.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    project.git("clone", "--quiet", str(tmp_path / "origin.git"), str(tmp_path / "cron"))
    shutil.copy(empty_mlflow, tmp_path / "cron" / "mlflow.db")
    return project


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.timeout(1800)
def test_the_weekly_job(author: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cron = Project(tmp_path / "cron")
    cron.dvc("remote", "modify", "--local", "local", "url", str(author.path(".dvc-remote")))
    monkeypatch.setenv("FETCH_DATA", "python fetch.py && dvc add --quiet data/shop")
    output = cron.run("bash", ".ci/retrain")

    assert f"logged {N_TRIALS} of {N_TRIALS} trials to experiment two-tower" in output
    assert "version 1 of two-tower is the champion: it is the first champion" in output
    assert cron.git("status", "--porcelain", "--untracked-files=no") == ""
    assert cron.git("rev-parse", "HEAD") == cron.git("rev-parse", "@{upstream}")
    assert cron.git("log", "-1", "--format=%s").startswith("Retrain on the data of 20")
    assert _shop(cron) != _shop(author)  # the new week is in the commit
    store = f"sqlite:///{cron.path('mlflow.db').as_posix()}"
    champion = MlflowClient(store).get_model_version_by_alias("two-tower", "champion")
    assert int(champion.version) == 1

    author.git("pull", "--quiet", "--ff-only", str(tmp_path / "origin.git"))
    author.dvc("checkout", "--quiet", "--allow-missing")
    author.dvc("pull", "--quiet")
    assert author.digests("data/shop") == cron.digests("data/shop")
    assert author.dvc("status", "--quiet") == ""
    monkeypatch.setenv("FETCH_DATA", f"python -c '{NOTE}' && dvc add --quiet data/shop")
    _registry_is_down(cron)


def _registry_is_down(cron: Project) -> None:
    """The run, of the first stage alone, is kept; the job fails all the same."""
    cron.dvc("freeze", "hpo", "refit", "visualize")
    cron.commit("Train nothing")
    before = cron.git("rev-parse", "HEAD")
    down = ["MLFLOW_TRACKING_URI=http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=0"]
    job = cron.start("env", *down, "bash", ".ci/retrain")
    output, _ = job.communicate()
    assert job.returncode == 1, output
    assert "MLflow's registry cannot be used" in output
    assert cron.git("rev-parse", "HEAD") == cron.git("rev-parse", "@{upstream}") != before


def _shop(project: Project) -> str:
    digest: str = yaml.safe_load(project.read("data/shop.dvc"))["outs"][0]["md5"]
    return digest
