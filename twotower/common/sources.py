"""The repository's own files beside the package: parameters, presets, what projects are made of.

A wheel brings them along (setup.py); anywhere else they are in the checkout around the package.
"""

import tomllib
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
SHIPPED = PACKAGE / "shipped"


def source_root() -> Path:
    """The folder that holds them, with the paths that they have in the repository."""
    return SHIPPED if SHIPPED.is_dir() else PACKAGE.parent


def source_text(name: str) -> str:
    """The content of one."""
    return (source_root() / name).read_text(encoding="utf-8")


def presets() -> dict[str, Path]:
    """Files of presets by name, in alphabetical order."""
    return {path.stem: path for path in sorted((source_root() / "presets").glob("*.yaml"))}


def installed_version() -> str:
    """The version of this package; a checkout may be used without being installed."""
    if SHIPPED.is_dir():
        return version("twotower")
    return str(tomllib.loads(source_text("pyproject.toml"))["project"]["version"])
