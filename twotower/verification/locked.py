"""What dvc.lock says: the outputs with their digests, and from what they were made."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.errors import ConfigError, VerificationError, one_line_errors
from twotower.common.paths import LOCK
from twotower.common.yaml_file import read_yaml

RUNNING = ".dvc/tmp/rwlock"
CUT = "damaged, as by a kill while DVC was writing it"


@dataclass(frozen=True)
class Output:
    """A file or folder that a stage declares.

    Attributes:
        path: from the folder of dvc.lock, with slashes.
        digest: MD5 as DVC computes it; of a folder it ends in `.dir`.
    """

    path: str
    digest: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.digest.endswith(".dir")


@dataclass(frozen=True)
class Lock:
    """The content of dvc.lock.

    Attributes:
        stages: what it has of each.
    """

    stages: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "Lock":
        """The lock of a project.

        Raises:
            VerificationError: if there is none.
        """
        try:
            return cls(read_yaml(folder / LOCK)["stages"])
        except (FileNotFoundError, KeyError, TypeError):
            msg = f"{LOCK}: the commit has none to verify; git add {LOCK} after dvc repro"
            raise VerificationError(msg) from None

    @property
    def outputs(self) -> list[Output]:
        """Of all stages, in the order of the file."""
        outs = (out for stage in self.stages.values() for out in stage.get("outs", ()))
        return [Output(out["path"], str(out.get("md5", ""))) for out in outs]

    def other_inputs(self, other: "Lock") -> list[str]:
        """Files and parameters that the two were made from, and that differ; outputs aside."""
        made = {output.path for output in (*self.outputs, *other.outputs)}
        mine, theirs = dict(self._inputs()), dict(other._inputs())
        differing = {
            name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)
        }
        return sorted({name for _, name in differing} - made)

    def _inputs(self) -> Iterator[tuple[tuple[str, str], Any]]:
        for name, stage in self.stages.items():
            yield (name, "dvc.yaml"), stage.get("cmd")
            for dep in stage.get("deps", ()):
                yield (name, dep["path"]), dep.get("md5")
            for params in stage.get("params", {}).values():
                for key, value in params.items():
                    yield (name, key), value


def check_lock(folder: Path = Path()) -> None:
    """Refuse a file of DVC whose writing was cut short, and of which DVC says no more than that.

    They are dvc.lock, and the list of what runs of DVC read and write at the moment.

    Args:
        folder: of a project; it need not have a lock.

    Raises:
        VerificationError: naming the file, and saying how to mend it.
    """
    _check_running(folder)
    try:
        content = read_yaml(folder / LOCK)
    except FileNotFoundError:
        return
    except ConfigError:
        content = None
    if not _is_whole(content):
        msg = (
            f"{LOCK}: {CUT}: git restore {LOCK} (delete it if no commit has it), then run the "
            "same command again; no result is lost"
        )
        raise VerificationError(msg)


def _check_running(folder: Path) -> None:
    try:
        json.loads((folder / RUNNING).read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        msg = f"{RUNNING}: {CUT}: delete it, then run the same command again; no result is lost"
        raise VerificationError(msg) from None


def _is_whole(content: Any) -> bool:
    """Whether DVC can read it."""
    if not isinstance(content, dict) or not isinstance(content.get("schema"), str):
        return False
    stages = content.get("stages", {})
    return isinstance(stages, dict) and all(map(_is_whole_stage, stages.values()))


def _is_whole_stage(stage: Any) -> bool:
    if not isinstance(stage, dict) or not isinstance(stage.get("cmd"), str | list):
        return False
    lists = [stage.get(name, []) for name in ("deps", "outs")]
    return all(isinstance(entries, list) for entries in lists) and all(
        isinstance(entry, dict) and "path" in entry and None not in entry.values()
        for entries in lists
        for entry in entries
    )


if __name__ == "__main__":  # run.py asks so, after a failure
    with one_line_errors():
        check_lock()
