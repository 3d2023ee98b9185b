"""`twotower init` writes a whole project or nothing, and `--upgrade` only what nobody edited."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower
from tests.conftest import REPOSITORY
from tests.pipeline.project import write_shop
from twotower.common.files import copy_whole
from twotower.config import load_config
from twotower.project import repositories, upgrade
from twotower.project.record import Record, read_record
from twotower.project.shell import quoted
from twotower.project.stage_code import RECORD

PARAMS = "params.yaml"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an empty one, in which `dvc init`, which takes seconds, is not run."""
    run = repositories.run_program

    def git_only(folder: Path, *command: str) -> None:
        if command[0] != sys.executable:
            run(folder, *command)

    monkeypatch.setattr(repositories, "run_program", git_only)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: str) -> dict[str, bytes]:
    """Content of all files, but for those of git."""
    root = Path(folder)
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".git/")}


def test_a_project_has_the_repositorys_stages_and_settings_and_no_sample() -> None:
    output = twotower("init", "shop").stdout
    written = files("shop")
    for name in ("stages/hpo.py", ".dvc/plots/search.json", ".dvc/config", ".gitattributes"):
        assert written[name] == (REPOSITORY / name).read_bytes()
    assert b"benchmark" not in written[".gitignore"]
    for name in (PARAMS, "dvc.yaml", "README.md", ".gitignore", "stages/hpo.py"):
        assert not re.search(rb"(?<!twotower's )docs/", written[name]), name
    assert not [name for name in written if "sample" in name or name.startswith(".github")]
    changed = zip(
        written[PARAMS].decode().splitlines(),
        (REPOSITORY / PARAMS).read_text(encoding="utf-8").splitlines(),
        strict=True,
    )
    ((own, _),) = ((a, b) for a, b in changed if a != b)
    assert own.split("#")[0].split() == ["root:", "data/raw"]
    assert Path("shop/data/raw").is_dir()
    assert output.startswith("shop: a project of twotower ")
    assert "\n  cd shop\n  twotower inspect data/raw" in output
    assert output.endswith(
        '  dvc repro\n  git add --all\n  git commit --message "Results"\n  twotower report\n'
    )
    assert read_record(Path("shop")) == Record.of_installed(read_record(Path("shop")).files)  # type: ignore[union-attr]


def test_exports_are_looked_at_and_named_by_a_path_that_the_stages_find() -> None:
    write_shop(Path("shop/exports"))
    output = twotower("init", "shop", "--data", "shop/exports").stdout
    assert output.startswith("interactions.csv: interactions, 600 rows")
    assert "\n  dvc add exports\n" in output
    readme = Path("shop/README.md").read_text(encoding="utf-8")
    assert "into `exports`, " in readme
    assert "$ twotower inspect exports\n" in readme
    assert "$ dvc add exports\n" in readme
    assert load_config(Path("shop") / PARAMS).data.root == "exports"
    output = twotower("init", "other", "--data", "shop/exports").stdout
    assert "dvc add" not in output
    data = load_config(Path("other") / PARAMS).data
    assert data.root == Path("shop/exports").absolute().as_posix()
    assert set(data.items.features) == {"category", "price"}
    readme = Path("other/README.md").read_text(encoding="utf-8")
    assert f"$ twotower inspect {quoted(data.root)}\n" in readme
    assert "dvc add" not in readme
    assert "the exports stay where they are" in readme
    for folder in ("shop", "other"):
        assert "data/raw" not in Path(folder, "README.md").read_text(encoding="utf-8")
        assert upgraded(folder)[0].startswith("nothing to do")
    assert not Path("other/data/raw").exists()


def test_without_data_in_the_exports_nothing_is_written() -> None:
    Path("exports").mkdir()
    assert error_of("init", "shop", "--data", "exports").startswith("exports: ")
    assert not Path("shop").exists()


def test_without_git_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "nowhere")
    assert error_of("init", "shop") == "git: no such program; a project needs it\n"
    assert not Path("shop").exists()


def test_files_that_are_there_are_named_and_nothing_is_written() -> None:
    for name in ("dvc.yaml", "stages/hpo.py"):
        path = Path("shop", name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("mine", encoding="utf-8")
    before = files("shop")
    assert error_of("init", "shop") == (
        "shop: these files are there already: dvc.yaml, stages/hpo.py; move them away or choose "
        "another folder, such as one inside it\n"
    )
    assert files("shop") == before
    assert not Path("shop/.git").exists()
    assert "dvc.yaml is a file" in error_of("init", "shop/dvc.yaml")


def test_a_readme_and_lists_of_ignored_files_are_kept() -> None:
    for name in ("README.md", ".gitignore"):
        Path(name).write_text("mine\n", encoding="utf-8")
    output = twotower("init").stdout
    assert "README.md: yours is kept" in output
    assert ".gitignore: your lines are kept" in output
    written = files(".")
    assert written["README.md"] == b"mine\n"
    assert written[".gitignore"].endswith(b"\nmine\n")
    assert b"\n.hpo/\n" in written[".gitignore"]
    assert "README.md" not in json.loads(written[RECORD])["files"]


def test_what_cannot_be_written_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from twotower.project import create

    copied = []

    def full(source: Path, target: Path) -> None:
        copied.append(target)
        if len(copied) == 5:
            raise OSError(28, "No space left on device", str(target))
        copy_whole(source, target)

    Path("data").mkdir()
    monkeypatch.setattr(create, "copy_whole", full)
    assert "No space left" in error_of("init")
    assert [name for name in files(".") if not name.startswith(".dvc/config")] == []


def test_the_weekly_job_installs_the_package() -> None:
    twotower("init", "shop", "--weekly")
    workflow = files("shop")[".github/workflows/retrain.yml"].decode()
    assert "TWOTOWER: ${{ vars.TWOTOWER }}" in workflow
    assert 'pip install -c constraints.txt "${TWOTOWER:?' in workflow
    assert '-e ".[s3]"' not in workflow
    assert os.access("shop/.ci/retrain", os.X_OK)
    said = error_of("init", "shop/inner", "--weekly")
    assert said.startswith("--weekly: GitHub runs workflows at the root of a repository only, ")
    assert "shop/inner is inner in one" in said.replace("\\", "/")
    twotower("init", "shop/inner")
    assert error_of("init", "shop/inner", "--upgrade", "--weekly") == said


def upgraded(*arguments: str) -> list[str]:
    """Lines of an upgrade; an earlier version wrote `stages/old.py`, too."""
    return twotower("init", "--upgrade", *arguments).stdout.splitlines()


def test_a_project_of_the_installed_version_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    twotower("init", "shop")
    before = files("shop")
    (line,) = upgraded("shop")
    assert line.startswith("nothing to do: ")
    assert files("shop") == before
    assert error_of("init", "shop").endswith(": twotower init --upgrade shop\n")
    with monkeypatch.context() as inside:
        inside.chdir("shop")
        assert error_of("init").endswith(": twotower init --upgrade\n")
    assert "not a project of twotower init" in error_of("init", "--upgrade")
    said = twotower("init", "--upgrade", "--data", "x", status=2).stderr
    assert "--data cannot go with --upgrade; to look at a folder again: twotower inspect" in said


def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that version 0.0.1 wrote, whose stage files and README were others."""
    from twotower.project import create, record

    write = create.write_parts

    def as_it_was(folder: Path, root: str, *, weekly: bool) -> list[str]:
        names = [
            name for name in write(folder, root, weekly=weekly) if name != "stages/visualize.py"
        ]
        (folder / "stages" / "visualize.py").unlink()
        for name in ("stages/hpo.py", "stages/refit.py", "README.md", "stages/old.py"):
            (folder / name).write_text("old\n", encoding="utf-8")
        return [*names, "stages/old.py"]

    with monkeypatch.context() as patched:
        patched.setattr(create, "write_parts", as_it_was)
        patched.setattr(record, "installed_version", lambda: "0.0.1")
        patched.setattr(record, "code_digests", lambda: {"hpo": "0"})
        twotower("init")


def test_an_upgrade_renews_what_nobody_edited_and_says_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older(monkeypatch)
    Path("stages/refit.py").write_text("mine\n", encoding="utf-8")
    params = "seed: 1\nportable: true  # mine\n"
    Path(PARAMS).write_text(params, encoding="utf-8")
    Path("README.md").unlink()
    lines = upgraded()
    assert lines[0].startswith("twotower 0.0.1 -> ")
    assert lines[1] == f"{RECORD}: dvc repro runs again: hpo, prepare, refit, visualize"
    assert "README.md: removed, and stays so" in lines
    assert "stages/hpo.py: renewed" in lines
    assert "stages/visualize.py: new" in lines
    assert "stages/old.py: no longer part of a project; it may be removed" in lines
    edited = lines.index("stages/refit.py: yours is kept, as it is edited; the new one differs:")
    assert "  - mine" in lines[edited:]
    assert "  + from twotower.stages.refit import main" in lines[edited:]
    now = files(".")
    assert now["stages/refit.py"] == b"mine\n"
    assert now[PARAMS].decode().startswith(params)
    assert f"{PARAMS}: added, with its default: guard: {{}}" in lines
    assert now["stages/hpo.py"] == (REPOSITORY / "stages/hpo.py").read_bytes()
    assert not Path("README.md").exists()
    assert lines[-1] == "next: git diff, then dvc repro"
    nothing, *again = upgraded()
    assert nothing.startswith("nothing to do: ")
    assert again == [
        "edited by you, and kept: stages/refit.py",
        "removed, and stays so: README.md",
    ]
    assert files(".") == now


def test_an_upgrade_of_the_installed_version_adds_a_key_that_was_taken_out() -> None:
    twotower("init")
    before = Path(PARAMS).read_text(encoding="utf-8")
    without = re.sub(r"  cluster: .*\n", "", before)
    Path(PARAMS).write_text(without, encoding="utf-8")
    assert upgraded() == [
        f"{PARAMS}: added, with its default: evaluate.cluster: null",
        "next: git diff, then dvc repro",
    ]
    assert Path(PARAMS).read_text(encoding="utf-8") == re.sub(r"(cluster: null) .*", r"\1", before)
    assert upgraded()[0].startswith("nothing to do: ")


def test_an_upgrade_can_add_the_weekly_job_and_then_renews_it() -> None:
    twotower("init")
    lines = upgraded("--weekly")
    assert ".github/workflows/retrain.yml: new" in lines
    workflow = Path(".github/workflows/retrain.yml")
    assert lines[-1] == "next: git diff, then dvc repro"
    workflow.write_text("mine\n", encoding="utf-8")
    assert upgraded()[1:] == ["edited by you, and kept: .github/workflows/retrain.yml"]


def test_own_lines_of_a_list_and_a_readme_of_ones_own_are_no_difference() -> None:
    for name in (".gitignore", "README.md"):
        Path(name).write_text("mine\n", encoding="utf-8")
    twotower("init")
    (line,) = upgraded()
    assert line.startswith("nothing to do: ")


def test_a_long_difference_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    older(monkeypatch)
    Path("dvc.yaml").write_text("mine\n", encoding="utf-8")
    lines = upgraded()
    begin = lines.index("dvc.yaml: yours is kept, as it is edited; the new one differs:")
    assert lines[begin + upgrade.SHOWN_LINES + 1].startswith("  … and ")
