"""The command line, run in this process, which has loaded torch and mlflow already."""

import contextlib
import os
from unittest import mock

from tests.cli import command
from tests.pipeline.project import Project
from tests.registry.conftest import own_environment


def twotower(project: Project, *arguments: str, status: int = 0) -> str:
    """What the command prints in the project's folder; it must end with that status."""
    environment = mock.patch.dict(os.environ, project.environment, clear=True)
    with environment, own_environment(), contextlib.chdir(project.root):
        return command.twotower(*arguments, status=status).output
