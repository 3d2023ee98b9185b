"""The scratch clone: what it has, what it has not, and that nothing of it is left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twotower.common.errors import VerificationError
from twotower.common.yaml_file import read_yaml
from twotower.verification import scratch
from twotower.verification.scratch import Checkout, scratch_clone
from twotower.verification.verify import verify

PARAMS = "data: {root: ROOT}\nhpo: {n_trials: 3, storage: 'sqlite:///shared.db'}\n"
WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def project(top: Path, root: str, *, inside: str = "") -> Path:
    """A commit of parameters and a lock, and raw data that git does not know."""
    folder = top / inside
    (folder / ".hpo").mkdir(parents=True)
    data = Path(os.path.abspath(folder / root))  # noqa: PTH100 - as the code does
    data.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(PARAMS.replace("ROOT", root), "utf-8")
    (folder / "dvc.lock").write_text("stages: {}\n", "utf-8")
    git(top, "init", "--quiet")
    git(top, "add", "--all")
    git(top, *WHO, "commit", "--quiet", "--message", "One")
    (folder / ".hpo" / "trial").write_text("1")
    (data / "events.csv").write_text("user_id,item_id\n")
    return folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("root", "inside"),
    [("data/raw", ""), ("../raw", "shops/a"), ("../../far/raw", ""), ("../../../raw", "shops/a")],
)
def test_raw_data_is_where_the_parameters_say_and_results_are_not(
    tmp_path: Path, temporary: Path, root: str, inside: str
) -> None:
    folder = project(tmp_path / "a" / "b" / "c" / "git", root, inside=inside)
    with scratch_clone(Checkout.at(folder), tmp_path / "cache") as clone:
        assert (clone.folder / root / "events.csv").read_text() == "user_id,item_id\n"
        assert temporary.resolve() in Path(os.path.abspath(clone.folder / root)).parents  # noqa: PTH100
        assert not (clone.folder / ".hpo").exists()
        assert read_yaml(clone.folder / "params.yaml")["hpo"] == {
            "n_trials": 3,
            "storage": None,
            "executor": "local",
        }
    assert list(temporary.iterdir()) == []
    assert (folder / root / "events.csv").exists()


def test_an_absolute_folder_is_read_where_it_is(tmp_path: Path) -> None:
    folder = project(tmp_path / "git", (tmp_path / "raw").as_posix())
    with scratch_clone(Checkout.at(folder), tmp_path / "cache") as clone:
        assert read_yaml(clone.folder / "params.yaml")["data"]["root"] == str(tmp_path / "raw")


def test_changes_that_are_not_committed_are_no_part_of_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "git", "data/raw")
    assert Checkout.at(folder).is_clean
    (folder / "dvc.lock").write_text("stages: {other: {}}\n")
    (folder / "new.py").write_text("")
    assert not Checkout.at(folder).is_clean
    with scratch_clone(Checkout.at(folder), tmp_path / "cache") as clone:
        assert (clone.folder / "dvc.lock").read_text() == "stages: {}\n"
        assert not (clone.folder / "new.py").exists()


def test_a_clone_that_is_kept_stays_and_replaces_nothing(tmp_path: Path) -> None:
    checkout = Checkout.at(project(tmp_path / "git", "data/raw"))
    with scratch_clone(checkout, tmp_path / "cache", tmp_path / "kept") as clone:
        pass
    assert (clone.folder / "params.yaml").exists()
    assert tmp_path / "kept" in clone.folder.parents
    with (
        pytest.raises(VerificationError, match="kept: is there already"),
        scratch_clone(checkout, tmp_path / "cache", tmp_path / "kept"),
    ):
        pass


def test_nothing_is_left_when_it_is_interrupted(tmp_path: Path, temporary: Path) -> None:
    checkout = Checkout.at(project(tmp_path / "git", "data/raw"))
    with pytest.raises(KeyboardInterrupt), scratch_clone(checkout, tmp_path / "cache"):
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_data_that_dvc_tracks_comes_from_the_cache_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(tmp_path / "git", "data/raw")
    (folder / "data" / "raw.dvc").write_text("outs:\n- path: raw\n")
    git(folder, "add", "data/raw.dvc")
    git(folder, *WHO, "commit", "--quiet", "--message", "Two")
    ran: list[tuple[str, ...]] = []
    run = scratch.run_program

    def git_only(place: Path, *command: str, env: dict[str, str] | None = None) -> None:
        if command[0] == sys.executable:  # DVC takes seconds
            ran.append(command[3:])
        else:
            run(place, *command, env=env)

    monkeypatch.setattr(scratch, "run_program", git_only)
    with scratch_clone(Checkout.at(folder), tmp_path / "cache") as clone:
        assert not (clone.folder / "data/raw/events.csv").exists()  # it is DVC's to bring
    assert ran == [
        ("config", "--local", "cache.dir", str(tmp_path / "cache")),
        ("checkout", "--quiet", "data/raw.dvc"),
    ]


@pytest.mark.parametrize("name", ["PYTHONPATH", "PATH"])
def test_the_stages_run_the_code_of_the_commit_in_this_environment(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(tmp_path / "git", "data/raw")
    (folder / "twotower").mkdir()
    (folder / "twotower" / "__init__.py").touch()
    git(folder, "add", "--all", "twotower")
    git(folder, *WHO, "commit", "--quiet", "--message", "Two")
    monkeypatch.setenv(name, "before", prepend=os.pathsep)
    monkeypatch.setenv("DVC_ROOT", "elsewhere")
    with scratch_clone(Checkout.at(folder), tmp_path / "cache") as clone:
        first = {"PYTHONPATH": clone.folder, "PATH": Path(sys.executable).parent}[name]
        assert clone.environment[name].split(os.pathsep)[:2] == [str(first), "before"]
        assert "DVC_ROOT" not in clone.environment


def test_without_a_commit_or_a_lock_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="no git repository with a commit to verify"):
        Checkout.at(tmp_path)
    folder = project(tmp_path / "git", "data/raw")
    git(folder, "rm", "--quiet", "dvc.lock")
    git(folder, *WHO, "commit", "--quiet", "--message", "Two")
    with pytest.raises(VerificationError, match=r"^dvc\.lock: the commit has none to verify"):
        Checkout.at(folder)


def test_without_dvc_nothing_can_be_verified(tmp_path: Path) -> None:
    checkout = Checkout.at(project(tmp_path / "git", "data/raw"))
    with pytest.raises(VerificationError, match=r"git: no DVC repository; add \.dvc/config"):
        verify(checkout)
