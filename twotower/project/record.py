"""`.twotower.json`: which version a project is of, and what `twotower init` wrote.

DVC reads it as parameters: a stage runs again when the digest of its code changes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from twotower.common.errors import ConfigError
from twotower.common.files import read_json, write_json
from twotower.common.progress import say
from twotower.common.sources import installed_version
from twotower.project.stage_code import RECORD, code_digests

UPGRADE = "twotower init --upgrade"
ABOUT = f"written by twotower init; {UPGRADE} brings the project to the version that is installed"


@dataclass(frozen=True)
class Record:
    """What a project is made by.

    Attributes:
        version: of twotower.
        stages: digest of the code of each stage.
        files: digest of each file as it was written, by path; those of the user are not in it.
    """

    version: str
    stages: Mapping[str, str]
    files: Mapping[str, str]

    @classmethod
    def of_installed(cls, files: Mapping[str, str]) -> "Record":
        """The record of a project that the installed version writes."""
        return cls(installed_version(), code_digests(), files)

    @property
    def code(self) -> tuple[str, Mapping[str, str]]:
        """What tells a project of one version from that of another."""
        return self.version, self.stages

    def write(self, folder: Path) -> None:
        """Write it into a project."""
        write_json(folder / RECORD, {"about": ABOUT, **asdict(self)})


def read_record(folder: Path) -> Record | None:
    """The record of a project; None: the folder is none.

    Raises:
        ConfigError: if the file is damaged.
    """
    path = folder / RECORD
    try:
        content = read_json(path)
        return Record(str(content["version"]), dict(content["stages"]), dict(content["files"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path}: damaged ({error!r}); take it from git: git checkout {RECORD}"
        raise ConfigError(msg) from None


def digest(path: Path) -> str:
    """Of a file's bytes; git may have changed the ends of its lines."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def say_version(stage: str | None = None) -> None:
    """Say what to do if the project in the current folder is not of the installed package.

    Args:
        stage: that runs; None: any.
    """
    record = read_record(Path())
    if record is not None and (note := version_note(record, stage)):
        say(f"note: {note}")


def version_note(record: Record, stage: str | None) -> str | None:
    """What to do where a project and the installed package differ; None: they do not."""
    stages, installed = code_digests(), installed_version()
    changed = [name for name in stages if stages[name] != record.stages.get(name)]
    if installed == record.version and not (changed if stage is None else stage in changed):
        return None
    now = f"{installed} is installed" if installed != record.version else "its code has changed"
    return f"this project is of twotower {record.version}, and {now}: {UPGRADE}"
