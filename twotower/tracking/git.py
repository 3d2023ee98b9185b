"""The identity of the code, as tags."""

from pathlib import Path

from twotower.common.git import git


def git_tags(folder: Path = Path()) -> dict[str, str]:
    """The commit that is checked out, and whether tracked files differ from it; {} without git."""
    commit = git(folder, "rev-parse", "HEAD")
    changes = git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "twotower.git.dirty": "true" if changes else "false",
    }
