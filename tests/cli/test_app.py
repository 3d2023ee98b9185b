"""What all commands share: help, version, exit statuses, imports."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.cli.command import error_of, twotower
from twotower.cli import app

COMMANDS = {
    "backtest",
    "check",
    "compare",
    "init",
    "preset",
    "recommend",
    "registry",
    "report",
    "retrain",
    "serve",
    "tracking",
}
SLOW = {"fastapi", "mlflow", "numpy", "optuna", "pandas", "pyarrow", "ruamel", "torch", "uvicorn"}


def run(code: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command, environment = [sys.executable, "-c", code], os.environ | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_help_names_every_command_and_imports_nothing_slow() -> None:
    help_page = twotower("--help").stdout
    assert all(f"\n  {name} " in help_page for name in COMMANDS)
    assert twotower("-h").stdout == help_page
    ran = run("import sys, twotower.cli; print(*{name.split('.')[0] for name in sys.modules})")
    assert "typer" in ran.stdout.split()
    assert not SLOW & set(ran.stdout.split())


@pytest.mark.usefixtures("stopped_by_pins")
def test_libraries_are_pinned_before_any_command() -> None:
    assert error_of("check") == "pinned\n"


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "twotower", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == f"twotower {version('twotower')}\n"


def test_no_command_is_answered_with_help() -> None:
    ran = twotower(status=2)
    assert "Usage:" in ran.output
    assert all(name in ran.output for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recomend"], "No such command 'recomend'"),
        (["recommend", "--out", "r.csv"], "--users / --history: give exactly one"),
        (["recommend", "--out", "r.csv", "--users", "a", "--history", "b"], "give exactly one"),
        (["recommend", "--users", "all"], "Missing option '--out'"),
        (["registry", "fetch"], "Missing option '--out'"),
        (["retrain", "start", "--top", "-1"], "'--top'"),
        (["serve", "--port", "-1"], "'--port'"),
        (["serve", "--port", "65536"], "'--port'"),
        (["serve", "--workers", "0"], "'--workers'"),
        (["serve", "--max-k", "0"], "'--max-k'"),
        (["serve", "--poll", "-1"], "'--poll'"),
    ],
)
def test_usage_errors_end_with_status_2(arguments: list[str], words: str) -> None:
    ran = twotower(*arguments, status=2)
    assert words in ran.stderr.splitlines()[-1]


def test_ctrl_c_ends_with_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])
    app.command()(interrupted)
    assert twotower("interrupted", status=130).stderr.startswith("interrupted; ")


def test_a_bug_keeps_its_plain_traceback() -> None:
    ran = run(
        "import sys; from twotower.cli import app, main\n"
        "app.command('broken')(lambda: 1 / 0)\n"
        "sys.argv = ['twotower', 'broken']; main()"
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("Traceback (most recent call last)")
    assert ran.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_shells_complete_the_names_of_commands() -> None:
    variables = {"_TWOTOWER_COMPLETE": "complete_bash", "COMP_WORDS": "twotower re"}
    code = "import sys; sys.argv = ['twotower']; from twotower.cli import main; main()"
    ran = run(code, **variables, COMP_CWORD="1")
    assert ran.stdout.split() == ["recommend", "report", "registry", "retrain"]
