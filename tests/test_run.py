"""run.py: what it decides, and whole runs with a stand-in for pip."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

RUN = Path(__file__).resolve().parent.parent / "run.py"
SERIES = f"{sys.version_info.major}.{sys.version_info.minor}"
posix = pytest.mark.skipif(os.name != "posix", reason="the stand-in for pip is a shell script")

STAND_IN = f"""\
#!/bin/sh
# The environment's interpreter: notes what it is asked to install, and runs all else for real.
case "$*" in
  "-m pip --version") echo "pip 1 from here (python {SERIES})" ;;
  "-m pip index"*) cat listing.txt ;;
  "-m pip install"*) echo "installing" >> calls.txt; cat calls.txt; . ./pip.sh ;;
  "-m dvc repro") . ./dvc.sh ;;
  "-m twotower report") echo "reporting" ;;
  "-m compileall"*) echo "compiling ${{PYTHONDONTWRITEBYTECODE-unset}}" >> calls.txt ;;
  *) exec "{sys.executable}" "$@" ;;
esac
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """run.py as a module."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("run_py", RUN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with run.py and an environment in which pip is a stand-in."""
    (tmp_path / "run.py").write_bytes(RUN.read_bytes())
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    (tmp_path / "listing.txt").write_text("Available versions: 2.13.0+cpu\n", encoding="utf-8")
    (tmp_path / "pip.sh").write_text("exit 0\n", encoding="utf-8")
    (tmp_path / "dvc.sh").write_text("echo computing\n", encoding="utf-8")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN, encoding="utf-8")
    python.chmod(0o755)
    return tmp_path


def start(checkout: Path, *arguments: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    variables = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(checkout / "run.py"), *arguments]
    return subprocess.Popen(
        command,
        text=True,
        stdout=pipe,
        stderr=pipe,
        env=variables,
        preexec_fn=listen,  # noqa: PLW1509 - the tests that use it start no threads
    )


def listen() -> None:
    """Take Ctrl-C as usual, even where the tests themselves run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def execute(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    with start(checkout, *arguments) as process:
        output, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def calls(checkout: Path) -> list[str]:
    return (checkout / "calls.txt").read_text(encoding="utf-8").splitlines()


def test_commands(run: ModuleType) -> None:
    python = str(run.PYTHON)
    assert run.parse([]) == [python, "-m", "dvc", "repro"]
    everything = ["-n", "logical", "--dist", "worksteal"]
    assert run.parse(["test"]) == [python, "-m", "pytest", *everything]
    assert run.parse(["test", "-k", "split"]) == [python, "-m", "pytest", "-k", "split"]
    assert run.parse(["--", "dvc", "exp", "show"]) == ["dvc", "exp", "show"]


@pytest.mark.parametrize("arguments", [["--"], ["repro"], ["-x", "--"]])
def test_other_arguments_are_refused(
    run: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(arguments)
    assert ended.value.code == 2
    assert "python run.py test" in capsys.readouterr().err


def test_help(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    assert "dvc repro" in capsys.readouterr().out


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0)])
def test_another_python_gets_one_line(
    run: ModuleType,
    version: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        run.main([])
    assert ended.value.code == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: Python 3.11 to 3.13 is needed")
    assert len(errors.splitlines()) == 1


def test_environment_comes_first_on_the_path(run: ModuleType) -> None:
    inner = run.environment({"PATH": "/usr/bin", "PYTHONHOME": "/usr", "HOME": "/home/me"})
    assert inner == {
        "PATH": f"{run.SCRIPTS}{os.pathsep}/usr/bin",
        "VIRTUAL_ENV": str(run.VENV),
        "HOME": "/home/me",
    }
    assert run.environment({})["PATH"] == str(run.SCRIPTS)


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_stamp_follows_what_is_installed(
    run: ModuleType, name: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ROOT", checkout)
    before = run.stamp()
    assert run.stamp() == before
    (checkout / name).write_text("changed\n", encoding="utf-8")
    assert run.stamp() != before


@pytest.mark.parametrize(
    ("listing", "cuda"),
    [
        ("Available versions: 2.14.0, 2.13.0+cpu, 2.13.0", False),
        ("Available versions: 2.14.0+cpu, 2.13.0", True),
        ("Available versions: 2.13.0\n  INSTALLED: 2.13.0", False),
        ("", True),
    ],
)
def test_cuda_is_foreseen(
    run: ModuleType, listing: str, cuda: bool, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ROOT", checkout)
    assert run.finds_cuda(listing) is cuda


@posix
def test_first_run_installs_and_the_next_does_not(checkout: Path) -> None:
    first = execute(checkout, "--", "python", "-c", "print('done')")
    assert (first.returncode, first.stdout) == (0, "done\n")
    assert "installing" in first.stderr
    second = execute(checkout, "--", "python", "-c", "print('done')")
    assert (second.returncode, second.stdout, second.stderr) == (0, "done\n", "")
    assert calls(checkout) == ["installing", "compiling unset"]


@posix
def test_failed_installation_is_redone(checkout: Path) -> None:
    (checkout / "pip.sh").write_text("exit 7\n", encoding="utf-8")
    failed = execute(checkout, "--", "python", "-c", "print('done')")
    assert (failed.returncode, failed.stdout) == (7, "")
    assert "error: pip failed" in failed.stderr
    (checkout / "pip.sh").write_text("exit 0\n", encoding="utf-8")
    assert execute(checkout, "--", "python", "-c", "").returncode == 0
    assert calls(checkout) == ["installing", "installing", "compiling unset"]


@posix
def test_changed_requirements_are_installed(checkout: Path) -> None:
    execute(checkout, "--", "python", "-c", "")
    (checkout / "constraints.txt").write_text("torch==2.13.1\n", encoding="utf-8")
    execute(checkout, "--", "python", "-c", "")
    assert calls(checkout).count("installing") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="torch from the default index is a CPU build")
@pytest.mark.parametrize(("versions", "told"), [("2.13.0+cpu, 2.13.0", False), ("2.13.0", True)])
def test_linux_users_are_told_of_cuda(checkout: Path, versions: str, told: bool) -> None:
    (checkout / "listing.txt").write_text(f"Available versions: {versions}\n", encoding="utf-8")
    assert ("PIP_FIND_LINKS" in execute(checkout, "--", "python", "-c", "").stderr) is told


@posix
def test_installers_wait_for_each_other(checkout: Path) -> None:
    (checkout / "pip.sh").write_text("sleep 1\n", encoding="utf-8")
    with start(checkout, "--", "python", "-c", "") as first:
        while not (checkout / "calls.txt").exists():
            time.sleep(0.02)
        second = execute(checkout, "--", "python", "-c", "print('done')")
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert (second.returncode, second.stdout) == (0, "done\n")
    assert "waiting" in second.stderr
    assert calls(checkout).count("installing") == 1


@posix
def test_exit_status_and_signals_are_the_commands(checkout: Path) -> None:
    execute(checkout, "--", "python", "-c", "")
    assert execute(checkout, "--", "python", "-c", "raise SystemExit(5)").returncode == 5
    with start(checkout, "--", "sleep", "60") as sleeper:
        time.sleep(0.5)
        sleeper.send_signal(signal.SIGINT)
        assert sleeper.wait(timeout=30) == -signal.SIGINT


@posix
def test_the_pipeline_ends_with_the_report(checkout: Path) -> None:
    done = execute(checkout)
    assert (done.returncode, done.stdout) == (0, "computing\nreporting\n")


@posix
def test_a_pipeline_that_fails_has_no_report(checkout: Path) -> None:
    (checkout / "dvc.sh").write_text("exit 7\n", encoding="utf-8")
    failed = execute(checkout)
    assert (failed.returncode, failed.stdout) == (7, "")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipeline_is_told_to_end(checkout: Path, number: signal.Signals) -> None:
    (checkout / "dvc.sh").write_text("echo $$; exec sleep 60\n", encoding="utf-8")
    with start(checkout) as running:
        assert running.stdout is not None
        pipeline = int(running.stdout.readline())
        if number == signal.SIGINT:  # a terminal sends Ctrl-C to both
            os.kill(pipeline, number)
        running.send_signal(number)
        output, errors = running.communicate(timeout=30)
    assert (running.returncode, output) == (128 + number, "")
    assert "Traceback" not in errors


@posix
def test_interrupted_installation_ends_cleanly(checkout: Path) -> None:
    (checkout / "pip.sh").write_text("exec sleep 60\n", encoding="utf-8")
    with start(checkout) as installing:
        while not (checkout / "calls.txt").exists():
            time.sleep(0.02)
        installing.send_signal(signal.SIGINT)
        _, errors = installing.communicate(timeout=30)
    assert installing.returncode == 130
    assert "Traceback" not in errors


@posix
def test_unknown_command(checkout: Path) -> None:
    unknown = execute(checkout, "--", "no-such-command")
    assert unknown.returncode == 127
    assert "error: no-such-command: no such command" in unknown.stderr


@posix
def test_a_folder_that_cannot_be_written(
    run: ModuleType,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "ROOT", checkout)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write to any folder
    with pytest.raises(SystemExit):
        run.install()
    assert f"error: cannot write to {checkout}" in capsys.readouterr().err


@posix
def test_moved_environment_is_made_anew(
    run: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scripts name their interpreter by a path that is no more."""
    execute(checkout, "--", "python", "-c", "")
    for name, path in (
        ("ROOT", ""),
        ("PYTHON", ".venv/bin/python"),
        ("STAMP", ".venv/installed.txt"),
    ):
        monkeypatch.setattr(run, name, checkout / path)
    monkeypatch.setattr(run, "PLACE", f"Python {SERIES} in {checkout / '.venv'}")
    assert run.is_current()
    assert run.is_reusable()
    monkeypatch.setattr(run, "PLACE", f"Python {SERIES} in /elsewhere/.venv")
    assert not run.is_current()
    assert not run.is_reusable()


@posix
def test_a_lock_that_was_cut_short_is_named_after_the_failure(checkout: Path) -> None:
    (checkout / "dvc.sh").write_text("exit 255\n", encoding="utf-8")
    (checkout / "dvc.lock").write_text("schema: '2", encoding="utf-8")
    ran = execute(checkout)
    assert ran.returncode == 255
    assert "error: dvc.lock: damaged, " in ran.stderr
