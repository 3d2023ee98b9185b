"""The weekly job and its documentation name what there is."""

import os
import shutil
import subprocess

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
