"""Puts files of this folder into wheels, for `twotower init` and `twotower preset` to read.

All else is in pyproject.toml. Where nothing was built, as in an editable install, they are read
where they are.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = (
    ".ci/retrain",
    ".dvc/config",
    ".dvc/plots/*.json",
    ".dvcignore",
    ".gitattributes",
    ".github/workflows/retrain.yml",
    ".gitignore",
    "constraints.txt",
    "data/start_model/start.json",
    "dvc.yaml",
    "params.schema.json",
    "params.yaml",
    "presets/*.yaml",
    "stages/*.py",
)
TARGET = "twotower/shipped"


def shipped(root: Path) -> list[str]:
    """Paths of these files, from the root."""
    found = (path for pattern in SHIPPED for path in root.glob(pattern))
    return sorted(path.relative_to(root).as_posix() for path in found)


class BuildPy(build_py):
    """With these files beside the modules, and in source distributions."""

    def run(self) -> None:
        """Copy them, too."""
        super().run()
        if not self.editable_mode:
            for name in shipped(Path()):
                target = Path(self.build_lib, TARGET, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(name, str(target))

    def get_source_files(self) -> list[str]:
        """Name them, too."""
        return [*super().get_source_files(), *shipped(Path())]


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildPy})
