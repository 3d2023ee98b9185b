"""Copies of model folders."""

import shutil
from pathlib import Path

from twotower.artifacts.content import BLOCK, open_regular
from twotower.artifacts.folder import Artifacts
from twotower.artifacts.meta import META


def copy_model(artifacts: Artifacts, target: Path) -> None:
    """Copy the files of a model, and nothing else that lies in its folder."""
    for name in (*artifacts.meta["files"], META):
        with open_regular(artifacts.folder / name) as handle:
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as copied:
                shutil.copyfileobj(handle, copied, BLOCK)
