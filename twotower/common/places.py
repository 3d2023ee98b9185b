"""Where things are kept that no stage declares: in the repository, whatever workspace runs."""

import os
from pathlib import Path


def repository_root() -> Path:
    """The repository: $DVC_ROOT, so that `dvc exp run --temp` keeps nothing in its workspace."""
    return Path(os.environ.get("DVC_ROOT", "."))


def live_folder(root: Path) -> Path:
    """Folder of the live studies of the repository at `root`."""
    return root / ".hpo"


def decompositions_folder(root: Path) -> Path:
    """Folder of the spectral starts that search and refit share."""
    return live_folder(root) / "spectral"
