"""A command of twotower in a process that has some distributions only, as if it were an image.

python -m tests.deploy.only LOG NAMES COMMAND…: NAMES between commas may be imported, with what they
require; a line of LOG for each module that twotower's own modules import.
"""

import builtins
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement

OURS = {"twotower", "tests"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_requirements(names: Iterable[str]) -> set[str]:
    """The distributions and all that they require here, without extras."""
    found: set[str] = set()
    waiting = [canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            for line in importlib.metadata.requires(name) or ():
                required = Requirement(line)
                if required.marker is None or required.marker.evaluate({"extra": ""}):
                    waiting.append(canonical(required.name))
    return found


def modules_of(name: str) -> set[str]:
    """Top-level modules of a distribution."""
    files = importlib.metadata.files(name) or ()
    return {path.parts[0].partition(".")[0] for path in files if path.suffix in {".py", ".so"}}


class Only:
    """Finds no module but those that are allowed."""

    def __init__(self, allowed: set[str]) -> None:
        self._allowed = allowed | OURS | sys.stdlib_module_names

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in self._allowed or name.startswith("_sysconfigdata"):
            return None  # ask the next finder
        raise ModuleNotFoundError(name, name=name)


def log_imports(log: Path) -> None:
    """Append what our modules import; at once, as a signal ends the process without a word."""
    usual, seen = builtins.__import__, set[str]()

    def logged(name: str, *given: Any, **named: Any) -> ModuleType:
        scope, _, _, level = (*given, *(None, None, (), 0)[len(given) :])
        top = name.partition(".")[0]
        importer = str((scope or {}).get("__name__"))
        if level == 0 and importer.startswith("twotower.") and top not in seen:
            seen.add(top)
            with log.open("a") as stream:
                stream.write(f"{top}\n")
        return usual(name, *given, **named)

    builtins.__import__ = logged


if __name__ == "__main__":
    _, path, names, *sys.argv[1:] = sys.argv
    allowed = set().union(*map(modules_of, with_requirements(names.split(","))))
    sys.meta_path.insert(0, Only(allowed))
    log_imports(Path(path))
    from twotower.cli import main

    main()
