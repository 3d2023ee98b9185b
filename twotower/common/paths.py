"""Where things are kept; imports nothing heavy, so that the command line can name them."""

import os
from pathlib import Path

from twotower.common.errors import ConfigError

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")
ARTIFACTS = Path(".artifacts_best")
"""Folder of the final model."""
REPORT = Path("report.html")
"""No output of a stage: it holds the time and the commit."""


def repository_root() -> Path:
    """The repository: $DVC_ROOT, so that `dvc exp run --temp` keeps nothing in its workspace."""
    return Path(os.environ.get("DVC_ROOT", "."))


def live_folder(root: Path) -> Path:
    """Folder of the live studies of the repository at `root`."""
    return root / ".hpo"


def decompositions_folder(root: Path) -> Path:
    """Folder of the spectral starts that search and refit share."""
    return live_folder(root) / "spectral"


def texts_folder(root: Path) -> Path:
    """Folder of the vectors of texts that a sentence encoder has read."""
    return live_folder(root) / "texts"


def check_place(path: Path) -> None:
    """Refuse to write below a file.

    Raises:
        ConfigError: naming the file that is no folder.
    """
    for above in path.parents:
        if above.is_file():
            msg = f"{path}: {above} is a file, so nothing can be put there"
            raise ConfigError(msg)
