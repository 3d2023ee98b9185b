"""`dvc repro`: what it leaves, and what it repeats."""

import os
from typing import Any
from unittest import mock

import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.project import Project
from twotower.artifacts import load_artifacts

STAGES = ("prepare", "hpo", "refit", "visualize")


def test_every_declared_output_is_there(finished: Project) -> None:
    assert tuple(finished.stages()) == STAGES
    for stage in STAGES:
        for name in finished.outputs(stage):
            assert finished.path(name).exists(), name


def test_everything_is_committed_or_ignored(finished: Project) -> None:
    assert finished.git("status", "--porcelain") == ""


def test_a_second_run_does_nothing(finished: Project) -> None:
    output = finished.dvc("repro")
    assert output.count("didn't change, skipping") == len(STAGES)
    assert "Running stage" not in output
    assert finished.git("status", "--porcelain") == ""


def test_ids_come_out_as_they_went_in(finished: Project) -> None:
    catalogue = load_artifacts(finished.path(".artifacts_best")).catalogue
    assert list(catalogue.users.vocabulary.ids) == [f"{number:03d}" for number in range(40)]
    assert list(catalogue.items.vocabulary.ids) == [f"{number:03d}" for number in range(33)]


def _changed(project: Project) -> set[str]:
    """Stages that `dvc repro` would run first, before it knows what they change."""
    with mock.patch.dict(os.environ, project.environment), Repo(str(project.root)) as repository:
        return {address.rpartition(":")[2] for address in repository.status()}


def test_what_changes_no_result_runs_nothing(project: Project) -> None:
    project.set("hpo.timeout", 60)
    project.set("hpo.storage", "sqlite:///elsewhere.db")
    project.set("hpo.on_drift", "error")
    project.set("mlflow", {"enabled": True, "tracking_uri": None, "experiment": "other"})
    assert _changed(project) == set()


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("split.test", 0.2, {"prepare"}),
        ("hpo.n_trials", 9, {"hpo"}),
        ("hpo.search_space.dim.high", 20, {"hpo"}),
        ("train.lr", 0.01, {"hpo", "refit"}),
        ("refit.final", "all", {"refit"}),
        ("visualize.static", "auto", {"visualize"}),
        ("seed", 43, {"prepare", "hpo", "refit"}),
        ("portable", False, set(STAGES)),
    ],
)
def test_a_parameter_concerns_its_stages(
    project: Project, key: str, value: Any, stages: set[str]
) -> None:
    project.set(key, value)
    assert _changed(project) == stages


def test_changed_plots_run_only_the_plots(project: Project) -> None:
    path = project.path("twotower/plots/__init__.py")
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    output = project.dvc("repro")
    assert [line for line in output.splitlines() if line.startswith("Running stage")] == [
        "Running stage 'visualize':"
    ]


def test_changed_data_is_another_study(project: Project) -> None:
    project.change_events(lambda events: events.iloc[:-20])
    output = project.dvc("repro", "hpo")
    assert "Running stage 'prepare'" in output
    assert "Running stage 'hpo'" in output
    assert "hpo_study.db: ignored, it is of another study (other data, space or settings)" in output
    assert "trials are done" not in output
    assert len(list(project.root.glob(".hpo/*/identity.json"))) == 2


@pytest.mark.parametrize("without", ["test", "validation"])
def test_the_pipeline_ends_well_without_a_split(project: Project, without: str) -> None:
    project.set(f"split.{without}", 0)
    output = project.all_stages()
    for stage in STAGES:
        assert all(project.path(name).exists() for name in project.outputs(stage))
    if without == "test":
        assert "without test scores: there is no test split" in output
        assert yaml.safe_load(project.read("metrics/test.json")) == {"scored": False}
    else:
        assert "nothing to optimise: the defaults are kept" in output
        assert yaml.safe_load(project.read("hpo_results.json"))["best_trial"] is None
        assert "no trial" in project.read("plots/hpo_history.html").lower()
    assert load_artifacts(project.path(".artifacts_best")).user_vecs.shape[0] == 40
