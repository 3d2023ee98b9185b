"""The repository's own files beside the package: parameters, presets, what projects are made of.

A wheel brings them along (setup.py); anywhere else they are in the checkout around the package.
"""

import tomllib
from importlib.metadata import version
from pathlib import Path

from twotower.common.choices import did_you_mean, nearest
from twotower.common.errors import ConfigError
from twotower.common.paths import PARAMS

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


def find_preset(name: str) -> Path:
    """The file of a preset: one that is there, or one of ours, whose folder may be named as well.

    Raises:
        ConfigError: naming the one that may be meant.
    """
    path, ours = Path(name), presets()
    if path.is_file():
        return path
    for stem, file in ours.items():
        if path.as_posix() in (stem, f"presets/{stem}.yaml"):
            return file
    beside = {file.stem: str(file) for file in sorted(path.parent.glob("*.yaml"))}
    beside.pop(PARAMS.stem, None)
    meant = [*nearest(path.stem, ours), *(beside[stem] for stem in nearest(path.stem, beside))]
    parts = [f"{name}: no such preset, and no such file", did_you_mean(meant[:1])]
    raise ConfigError("; ".join(filter(None, parts)))


def installed_version() -> str:
    """The version of this package; a checkout may be used without being installed."""
    if SHIPPED.is_dir():
        return version("twotower")
    return str(tomllib.loads(source_text("pyproject.toml"))["project"]["version"])
