import subprocess
from pathlib import Path
from typing import Any

import pytest

from twotower.ingest.untracked import untracked_note

SHOP = Path("my/shop")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with data in my/shop, which git does not know."""
    folder = tmp_path / "checkout"
    for name in ("interactions.csv", "items.csv", ".DS_Store"):
        (folder / SHOP).mkdir(parents=True, exist_ok=True)
        (folder / SHOP / name).write_text("a,b\n")
    monkeypatch.chdir(folder)
    git("init", "--quiet")
    return folder


def git(*arguments: str) -> Any:
    return subprocess.run(["git", *arguments], check=True)


def test_files_that_git_lacks_are_named_with_what_to_do(checkout: Path) -> None:
    assert untracked_note(SHOP, Path()) == (
        "my/shop/interactions.csv, my/shop/items.csv: in neither git nor DVC, so `dvc exp run "
        "--temp` and `--queue` run without: git add or dvc add my/shop first (and git add "
        "my/shop.dvc)"
    )
    (checkout / ".gitignore").write_text("*.csv\n")
    assert "interactions.csv" in (untracked_note(SHOP, Path()) or "")
    git("add", "--force", "my/shop/interactions.csv")
    assert (untracked_note(SHOP, Path()) or "").startswith("my/shop/items.csv: in neither")
    git("add", "--force", "my/shop/items.csv")
    assert untracked_note(SHOP, Path()) is None


def test_what_dvc_has_is_tracked_once_git_has_the_pointer(checkout: Path) -> None:
    (checkout / "my/shop.dvc").write_text("outs: []\n")
    assert untracked_note(SHOP, Path()) is not None
    git("add", "my/shop.dvc")
    assert untracked_note(SHOP, Path()) is None


def test_outputs_of_stages_are_tracked(checkout: Path) -> None:
    (checkout / "dvc.lock").write_text("stages: {export: {outs: [{path: my/shop}]}}\n")
    assert untracked_note(SHOP, Path()) is None


@pytest.mark.parametrize("out", ["${data.root}: {persist: true}", "my/shop"])
def test_an_output_of_a_stage_that_has_not_run(checkout: Path, out: str) -> None:
    text = f"stages:\n  fetch:\n    outs:\n      - {out}\n"
    (checkout / "dvc.yaml").write_text(text)
    assert untracked_note(SHOP, Path()) == (
        "my/shop: DVC does not have this output of stage fetch yet: dvc repro fetch, before git add"
    )


def test_many_files_are_counted(checkout: Path) -> None:
    for number in range(4):
        (checkout / SHOP / f"part-{number}.csv").write_text("")
    assert "part-0.csv and 3 more: in neither" in (untracked_note(SHOP, Path()) or "")


def test_an_experiment_says_what_its_copy_lacks(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    (copy / SHOP).mkdir(parents=True)
    (copy / SHOP / "interactions.csv").write_text("")  # as with --copy-paths
    monkeypatch.chdir(copy)
    assert (untracked_note(SHOP, checkout) or "").startswith("my/shop/items.csv: in neither")
    (copy / SHOP / "items.csv").write_text("")
    assert untracked_note(SHOP, checkout) is None


def test_a_folder_elsewhere_needs_an_absolute_path(checkout: Path) -> None:
    assert "../shop lies outside" in (untracked_note(Path("../shop"), Path()) or "")
    assert untracked_note(checkout / SHOP, Path()) is None


def test_without_git_there_is_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert untracked_note(SHOP, Path()) is None
