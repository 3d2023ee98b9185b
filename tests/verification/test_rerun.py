"""The run of the stages: what is shown of it, how it fails, and that it can be ended."""

import os
import time
from pathlib import Path

import pytest

from twotower.common.errors import VerificationError
from twotower.common.progress import Step, Steps, watched
from twotower.verification import rerun
from twotower.verification.rerun import run_again


class Noting(Steps):
    """Keeps what was shown; it may interrupt."""

    def __init__(self, stop_at: str = "") -> None:
        super().__init__()
        self.shown: list[str] = []
        self.stop_at = stop_at

    def advance(self, one: Step, count: int = 1) -> None:
        super().advance(one, count)
        self.shown.append(f"{one.count()}, {one.note()}")
        if one.note() == self.stop_at:
            raise KeyboardInterrupt


def write(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Python code in place of `dvc repro`."""
    monkeypatch.setattr(rerun, "REPRO", ("-u", "-c", code))


TWO_STAGES = (
    """print("Running stage 'prepare':\\n> python stages/prepare.py\\nRunning stage 'hpo':")"""
)


def test_it_shows_which_stage_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(monkeypatch, TWO_STAGES)
    steps = Noting()
    with watched(steps):
        run_again(tmp_path, dict(os.environ), 4)
    assert steps.shown == ["stage 1/4, prepare", "stage 2/4, hpo"]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("error: data.root: no such folder\\nERROR: failed to reproduce 'hpo'", "data.root: no"),
        ("ERROR: failed to reproduce 'hpo': missing data", "failed to reproduce 'hpo': missing"),
        ("ZeroDivisionError: by zero\\n", "ZeroDivisionError: by zero"),
    ],
)
def test_a_failure_is_said_with_the_stage_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, reason: str
) -> None:
    write(monkeypatch, f'{TWO_STAGES}; print("{last}"); exit(1)')
    with pytest.raises(VerificationError) as raised:
        run_again(tmp_path, dict(os.environ), 4)
    assert str(raised.value).startswith(f"the pipeline cannot be run again; hpo: {reason}")


def test_ctrl_c_ends_the_stage_and_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = tmp_path / "alive"
    inner = (
        f"import time; [(open({str(alive)!r}, 'w').close(), time.sleep(.02)) for _ in range(999)]"
    )
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}]); "
    waits = f"import os, time\nwhile not os.path.exists({str(alive)!r}): time.sleep(.02)\n"
    write(monkeypatch, f"{code}\n{waits}{TWO_STAGES}\ntime.sleep(99)")
    with pytest.raises(KeyboardInterrupt), watched(Noting(stop_at="hpo")):
        run_again(tmp_path, dict(os.environ), 4)
    alive.unlink(missing_ok=True)
    time.sleep(0.2)
    assert not alive.exists()
