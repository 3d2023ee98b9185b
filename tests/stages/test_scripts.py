"""What all scripts of `stages/` share: their help, and what one sees while they load libraries."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.common.progress import Steps
from twotower.common.stage import LOADING

SCRIPTS = sorted((REPOSITORY / "stages").glob("*.py"))
SLOW = {"numpy", "optuna", "pandas", "plotly", "pyarrow", "pydantic", "torch"}
by_name = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def run(script: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Exit status of a script that ends at once."""
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    return ended.value.code


@by_name
def test_every_stage_has_help(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # where a stage that ran would find nothing
    assert run(script, "--help", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.startswith(f"usage: {script.name}")


@by_name
def test_what_takes_long_to_import_is_imported_in_a_step_that_says_so(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(Steps, "begin", lambda _, one: begun.append(one.name) or one)
    monkeypatch.setattr(Steps, "end", lambda _self, _one: None)
    monkeypatch.chdir(tmp_path)
    assert run(script, monkeypatch=monkeypatch) == 1  # there is no params.yaml
    assert begun == [LOADING]


@by_name
@pytest.mark.usefixtures("stopped_by_pins")
def test_libraries_are_pinned_before_anything_else(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(script, monkeypatch=monkeypatch) == 1
    assert capsys.readouterr() == ("", "error: pinned\n")


def test_nothing_slow_is_imported_before_the_stages_begin() -> None:
    modules = ", ".join(f"twotower.stages.{script.stem}" for script in SCRIPTS)
    code = f"import sys, {modules}; print(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tqdm" in ran.stdout.split()
    assert not SLOW & set(ran.stdout.split())
