"""`dvc exp` and remotes: trials are kept, wherever an experiment runs."""

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.pipeline.project import N_TRIALS, Project


def test_queued_experiments_share_the_study(
    project: Project, finished: Project, tmp_path: Path
) -> None:
    for total in (5, 6):
        name, change = f"to-{total}", f"hpo.n_trials={total}"
        project.dvc("exp", "run", "--queue", "-n", name, "-S", change, "hpo")
    project.dvc("queue", "start", "--jobs", "2")
    _wait_for(project, "to-5", "to-6")
    for total in (5, 6):
        project.dvc("exp", "apply", f"to-{total}")
        assert json.loads(project.read("hpo_results.json"))["n_trials"] == total
    assert project.live_trials() == 6
    fresh = finished.copy(tmp_path / "fresh")
    fresh.forget_the_search()
    fresh.stage("hpo", "--n-trials", "6")
    names = project.outputs("hpo")
    assert project.digests(*names) == fresh.digests(*names)


def _wait_for(project: Project, *names: str) -> None:
    """Until git has the experiments, which costs less to ask than the queue."""
    deadline = time.monotonic() + 400
    while True:
        for _ in range(40):
            there = project.git("for-each-ref", "refs/exps", "--format=%(refname:lstrip=-1)")
            if set(names) <= set(there.split()):
                return
            time.sleep(0.5)
        status = project.dvc("queue", "status")
        assert "Failed" not in status, status
        assert time.monotonic() < deadline, status


def test_an_experiment_in_a_temporary_folder_can_be_seen_and_applied(project: Project) -> None:
    output = project.dvc("exp", "run", "--temp", "-n", "grown", "-S", "hpo.n_trials=12")
    assert "4 of 12 trials are done, 8 to run" in output
    assert "note: this test split has been looked at 2 times: " in output
    assert project.git("status", "--porcelain") == ""
    _is_seen_in_a_narrow_table_and_in_plots(project, "grown")
    project.dvc("exp", "apply", "grown")
    assert json.loads(project.read("hpo_results.json"))["n_trials"] == 12
    assert project.live_trials() == 12


def _is_seen_in_a_narrow_table_and_in_plots(project: Project, name: str) -> None:
    table = project.dvc("exp", "show", "--only-changed", "--csv")
    columns = table.splitlines()[0].split(",")
    assert len(columns) <= 12
    assert {"validation.recall_at_10", "test.recall_at_10", "hpo.n_trials"} <= set(columns)
    difference = json.loads(project.dvc("metrics", "diff", "HEAD", name, "--all", "--json"))
    headline = {f"metrics/headline/{split}.json" for split in ("validation", "test")}
    assert headline <= difference.keys()
    plots = json.loads(project.dvc("plots", "diff", "HEAD", name, "--json"))["data"]
    assert plots.keys() == {"search", "learning_curves", "baselines"}
    for (plot,) in plots.values():
        assert plot["revisions"] == ["HEAD", name]


def test_a_clone_resumes_from_what_was_pushed(project: Project, tmp_path: Path) -> None:
    project.dvc("push")
    clone = project.clone(tmp_path / "clone")
    remote = shutil.copytree(project.path(".dvc-remote"), clone.path(".dvc-remote"))
    damaged = max(remote.rglob("*"), key=lambda file: file.stat().st_size)
    whole = damaged.read_bytes()
    _overwrite(damaged, whole[:-100])
    pull = clone.start("dvc", "pull")
    assert "Checkout failed for following targets:" in pull.communicate()[0]
    assert pull.returncode != 0
    _overwrite(damaged, whole)
    clone.dvc("pull")
    assert clone.dvc("status").strip() == "Data and pipelines are up to date."
    assert not clone.path(".hpo").exists()
    output = clone.stage("hpo", "--n-trials", "6")
    assert "4 of 6 trials are done, 2 to run" in output


def _overwrite(path: Path, content: bytes) -> None:
    """Also a file that DVC protects, which is protected again."""
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def test_an_experiment_that_confirms_is_compared_with_one_that_does_not(project: Project) -> None:
    before = json.loads(project.read("metrics/test.json"))
    study = project.digests("hpo_study.db")
    change = "hpo.confirm={top: 2, seeds: 2}"
    output = project.dvc("exp", "run", "-n", "confirmed", "-S", change, "refit")
    assert f"all {N_TRIALS} trials are done, none to run" in output
    assert "confirming the best 2 trials with 2 fresh seeds each" in output
    assert project.digests("hpo_study.db") == study
    results = json.loads(project.read("hpo_results.json"))
    assert results["confirm"]["chosen"] == results["best_trial"]["number"]
    meta = json.loads(project.read(".artifacts_best/model_meta.json"))
    assert meta["best_params"] == results["best_params"]

    after = json.loads(project.read("metrics/test.json"))
    command = ("twotower", "compare", "HEAD", "confirmed", "--json")
    found = json.loads(project.run(*command))
    assert found["num_users"] == before["evaluated"]["num_users"]
    assert "recall_at_10" in found["metrics"]
    for name, metric in found["metrics"].items():
        assert metric["a"] == pytest.approx(before["optimized"][name])
        assert metric["b"] == pytest.approx(after["optimized"][name])
