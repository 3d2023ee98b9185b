"""A run that continues from the champion, from the registry to a fresh clone."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.pipeline.commands import twotower
from tests.pipeline.project import Project


@pytest.mark.timeout(1800)
def test_a_run_continues_from_the_champion(
    project: Project, empty_mlflow: Path, tmp_path: Path
) -> None:
    shutil.copy(empty_mlflow, project.path("mlflow.db"))
    project.set("refit.seeds", 1)
    project.commit("One seed")
    for command in ("register", "promote"):
        twotower(project, "registry", command)
    said = twotower(project, "finetune", "--from", "champion")
    assert "data/start_model: version 1; without a search, the next run trains for " in said
    events = pd.read_csv(project.path("data/shop/interactions.csv"), dtype=str)
    week = events.sample(60, random_state=1)
    week["timestamp"] = (week["timestamp"].astype(int) + 10_000).astype(str)
    whole = pd.concat([events, week])
    whole.to_csv(project.path("data/shop/interactions.csv"), index=False)

    log = project.dvc("repro", "refit")
    assert "no search: one trial has the hyperparameters of the start model" in log
    assert "finetuned against trained anew: recall_at_10 " in log
    assert "their ten nearest stay" in log
    finetuning = json.loads(project.read("metrics/test.json"))["finetuning"]
    assert finetuning["drift"]["items"] > 0
    assert len(json.loads(project.read("metrics/validation.json"))) > 0
    project.git("add", "data/start_model")
    project.commit("Continued")
    assert project.git("ls-files", "data/start_model").split() == [
        f"data/start_model/{name}" for name in (".gitignore", "model.dvc", "start.json")
    ]
    assert "as version 2 of two-tower" in twotower(project, "registry", "register")

    project.dvc("push", "--quiet")
    project.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    remote = str(project.path(".dvc-remote"))
    clone.dvc("remote", "modify", "--local", "local", "url", remote)
    clone.dvc("pull", "--quiet")
    clone.dvc("repro", "--force", "--single-item", "refit")
    assert clone.git("status", "--porcelain", "--untracked-files=no") == ""
    clone.run("twotower", "finetune", "--reset")
    assert list(clone.digests("data/start_model")) == ["data/start_model/start.json"]
