"""A reader who types what a document says, and compares what is printed."""

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from unittest.mock import patch

from tests.documents.blocks import Block, Command, commands, statements
from tests.documents.programs import simple_commands
from tests.documents.sample_run import FIGURES
from tests.documents.shape import missing
from tests.pipeline.project import Project

ENDS_BADLY = ("error: ", "usage: ")
OUTCOME = re.compile(rf"{FIGURES.pattern}|next: |\* significant|no significant difference")
"""Lines that are others where figures are others; test_figures.py has those of the sample."""


class Reader:
    """Follows one document in a repository in which the pipeline has run.

    Attributes:
        stumbles: what went otherwise than documented, with its place.
    """

    def __init__(self, project: Project, printed: Mapping[str, str]) -> None:
        """Begin in the root of the repository.

        Args:
            project: the repository.
            printed: by command, what was printed by those that have been typed before; each is
                taken to have been typed just now where a document first has it.
        """
        self._printed = {frozenset(line.split()): text for line, text in printed.items()}
        self.stumbles: list[str] = []
        self._project = project
        self._folder = project.root
        self._names: dict[str, object] = {"__name__": "__main__"}
        self._status = 0

    def follow(self, document: Iterable[Block]) -> None:
        """Run all blocks that are not marked as not run, in order."""
        for block in document:
            if block.why_not_run:
                continue
            if block.language == "console":
                self._type(commands(block))
            elif block.language == "python":
                self._evaluate(block)

    def _type(self, lines: list[Command]) -> None:
        following = [command.line for command in lines[1:]] + [""]
        for command, after in zip(lines, following, strict=True):
            output = self._run(command.line)
            may_fail = after == "echo $?" or any(
                line.startswith(ENDS_BADLY) for line in command.output
            )
            if self._status and not may_fail:
                self._stumble(command, f"ended with status {self._status}", output)
            own = [line for line in command.output if not OUTCOME.match(line)]
            if (line := missing(own, output.splitlines())) is not None:
                self._stumble(command, f"did not print a line like {line!r}", output)

    def _stumble(self, command: Command, what: str, output: str) -> None:
        self.stumbles.append(f"{command.place}: {command.line}\n{what}, but:\n{output}")

    def _run(self, line: str) -> str:
        """What a line of shell prints; commands of ours are run in this process, to save time."""
        words = list(simple_commands(line))
        before, self._status = self._status, 0
        if line == "echo $?":
            return str(before)
        if len(words) == 1 and frozenset(words[0]) in self._printed:
            return self._printed.pop(frozenset(words[0]))
        if len(words) == 1 and words[0][0] == "cd":
            self._folder = self._folder / words[0][1]
            return ""
        if len(words) == 1 and words[0][0] == "twotower" and ">" not in line:
            return self._twotower(words[0][1:])
        ended = subprocess.run(
            ["bash", "-c", line],
            cwd=self._folder,
            env=self._project.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        self._status = ended.returncode
        return ended.stdout

    def _twotower(self, arguments: list[str]) -> str:
        from typer.testing import CliRunner

        from twotower.cli import app

        with self._inside():
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        self._status = result.exit_code
        return result.output

    def _evaluate(self, block: Block) -> None:
        """Run Python; its names are known in later blocks of the document."""
        for source, wanted in statements(block):
            code = compile(source, block.place, "single" if wanted else "exec")
            printed = io.StringIO()
            with self._inside(), contextlib.redirect_stdout(printed):
                exec(code, self._names)  # noqa: S102 - it is ours
            if (line := missing(wanted, printed.getvalue().splitlines())) is not None:
                command = Command(block.place, source)
                self._stumble(command, f"did not print a line like {line!r}", printed.getvalue())

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """This process, in the folder and with the environment of the reader."""
        with chdir(self._folder), patch.dict(os.environ, self._project.environment, clear=True):
            yield
