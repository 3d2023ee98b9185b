"""The weekly job and its documentation name what there is."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

JOB = REPOSITORY / ".ci" / "retrain"
WORKFLOW = REPOSITORY / ".github" / "workflows" / "retrain.yml"


def test_the_workflow_runs_the_job() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    steps = workflow["jobs"]["retrain"]["steps"]
    assert "bash .ci/retrain" in [step.get("run") for step in steps]
    assert os.access(JOB, os.X_OK)


def test_the_documented_steps_are_those_of_the_job() -> None:
    job = JOB.read_text(encoding="utf-8")
    document = (REPOSITORY / "docs" / "retraining.md").read_text(encoding="utf-8")
    steps = ["dvc pull", "dvc repro", "dvc metrics diff --md", "dvc push"]
    steps += ["twotower retrain start", "twotower tracking sync", "twotower registry register"]
    for step in steps:
        assert step in job
        assert step in document


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_job_is_a_shell_script() -> None:
    subprocess.run(["bash", "-n", str(JOB)], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_run_that_was_stopped_is_named_with_the_documented_way_out(tmp_path: Path) -> None:
    """Without `--force`, DVC refuses to replace the outputs of a stage that was stopped."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(JOB, tmp_path / ".ci" / "retrain")
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    done = subprocess.run(
        ["bash", ".ci/retrain"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    way_out = "git restore . && dvc pull --force"
    assert done.returncode == 1
    assert done.stderr.endswith(f"after a run that was stopped, run: {way_out}\n")
    assert f"`{way_out}`" in (REPOSITORY / "docs" / "retraining.md").read_text(encoding="utf-8")
