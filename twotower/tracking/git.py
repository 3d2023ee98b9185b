"""The identity of the code, as tags."""

import subprocess
from pathlib import Path


def git_tags(folder: Path = Path()) -> dict[str, str]:
    """The commit that is checked out, and whether tracked files differ from it; {} without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "twotower.git.dirty": "true" if changes else "false",
    }


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        ran = subprocess.run(  # noqa: S603 - fixed arguments
            command, capture_output=True, check=True, text=True, encoding="utf-8", timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
