"""The benchmarks that measure against a limit: the modules here that have `lines`."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.measured import Found, Scale
from twotower.common.choices import Table
from twotower.common.errors import TwoTowerError

HERE = Path(__file__).parent
OURS = ("benchmarks", "twotower", "tests", "stages")


@dataclass(frozen=True)
class Module:
    """A benchmark.

    Attributes:
        name: of the file, without its extension.
    """

    name: str

    def lines(self) -> Callable[[Scale], Iterator[Found]]:
        """The function that measures; loading it may take seconds."""
        measure: Callable[[Scale], Iterator[Found]] = import_module(f"benchmarks.{self.name}").lines
        return measure


@dataclass(frozen=True)
class NotRun:
    """Why a benchmark found nothing, or not all that it might have.

    Attributes:
        reason: in a line.
        failed: whether it should have been able to run.
    """

    reason: str
    failed: bool


def modules() -> Table[Module]:
    """All of them. Whether a file has `lines` is read from its text: to load it takes seconds."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(HERE.glob("*.py"))}
    names = [name for name, text in texts.items() if "\ndef lines(" in text]
    return Table("NAME", *map(Module, names))


def found(module: Module, scale: Scale) -> Iterator[Found | NotRun]:
    """What a benchmark finds, as it finds it, in a process of its own.

    There it may set threads and fill memory; should it die of that, the others go on.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(module, scale, sender))
    process.start()
    sender.close()
    while True:
        try:
            yield receiver.recv()
        except EOFError:
            break
    process.join()
    if process.exitcode:
        yield NotRun(f"its process ended with status {process.exitcode}", failed=True)


def _measure(module: Module, scale: Scale, sender: "Connection[Any, Any]") -> None:
    """Send what is found; a bug's traceback goes to stderr."""
    try:
        for one in module.lines()(scale):
            sender.send(one)
    except (TwoTowerError, SystemExit) as error:
        sender.send(NotRun(str(error), failed=True))
    except ModuleNotFoundError as error:
        if str(error.name).startswith(OURS):
            raise
        sender.send(NotRun(f"{error.name} is not installed", failed=False))
    except Exception as error:
        traceback.print_exc()
        sender.send(NotRun(f"{type(error).__name__}: {error}", failed=True))
