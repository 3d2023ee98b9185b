"""The command line, run in this process."""

from typing import Any

from typer.testing import CliRunner, Result

from twotower.cli import app


def twotower(*arguments: Any, status: int = 0) -> Result:
    """What the command prints; it must end with that status. A bug raises."""
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


def error_of(*arguments: Any) -> str:
    """The one line in which the command tells a user's mistake."""
    result = twotower(*arguments, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ")
