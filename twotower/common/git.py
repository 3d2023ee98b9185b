"""What git says of a checkout."""

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str | None:
    """What a git command prints, run in a folder; None if it fails, or there is no git."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        ran = subprocess.run(  # noqa: S603 - fixed arguments
            command, capture_output=True, check=True, text=True, encoding="utf-8", timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
