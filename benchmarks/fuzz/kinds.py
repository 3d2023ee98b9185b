"""The kinds of input that are damaged: the modules here that have a TITLE."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis.strategies import SearchStrategy

from twotower.common.choices import Table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: of the file, without its extension.
    """

    name: str

    @property
    def title(self) -> str:
        """What the tables call it."""
        return str(self._module.TITLE)

    def cases(self) -> SearchStrategy[Any]:
        """Inputs: valid ones that are then damaged, and hostile ones."""
        cases: SearchStrategy[Any] = self._module.cases()
        return cases

    @property
    def check(self) -> Callable[[Any, Path], str]:
        """Tries a case in an empty folder and says how it ended; raises if a promise is broken."""
        check: Callable[[Any, Path], str] = self._module.check
        return check

    @property
    def _module(self) -> ModuleType:
        return import_module(f"benchmarks.fuzz.{self.name}")


def kinds() -> Table[Kind]:
    """All of them. Whether a file is one is read from its text: to load it takes seconds."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(HERE.glob("*.py"))}
    return Table("KIND", *(Kind(name) for name, text in texts.items() if "\nTITLE" in text))
