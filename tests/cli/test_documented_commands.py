"""Whatever command line a document or a message quotes can be typed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.conftest import REPOSITORY
from twotower.cli import app

PLACES = (
    "README.md",
    "CONTRIBUTING.md",
    ".ci/*",
    "docs/**/*.md",
    "presets/*.yaml",
    "twotower/**/*.py",
)
LINE = re.compile(r"(?<![\w./:-])(?<!from )twotower ([a-z]+\b[^`|&#…\n]*)")
COMMANDS: Any = get_command(app)


def quoted(path: Path) -> Iterator[list[str]]:
    """The words after `twotower` of each command line in a file; prose may follow them."""
    for match in LINE.finditer(path.read_text(encoding="utf-8")):
        words = re.findall(r"[^\s\"',;()]+", match[1])
        if path.suffix != ".py" or words[0] in COMMANDS.commands:  # otherwise a sentence
            yield words


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words that are left."""
    command = COMMANDS
    while words and words[0] in getattr(command, "commands", ()):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("place", PLACES)
def test_every_command_and_option_exists(place: str) -> None:
    for path in REPOSITORY.glob(place):
        for words in quoted(path):
            command, rest = resolve(words)
            is_group = hasattr(command, "commands")  # which may be mentioned by itself
            assert not (is_group and rest), f"{path}: no command twotower {' '.join(words)}"
            options = {name for parameter in command.params for name in parameter.opts}
            given = {word for word in rest if word.startswith("--")}
            others = command.context_settings.get("ignore_unknown_options")  # of a program it runs
            assert others or given <= options | {"--help"}, path
        assert "python -m twotower." not in path.read_text(encoding="utf-8"), path


def test_every_command_is_documented() -> None:
    documents = [*REPOSITORY.glob("docs/*.md"), REPOSITORY / "README.md"]
    seen = {resolve(words)[0].name for path in documents for words in quoted(path)}
    for command in COMMANDS.commands.values():
        leaves = getattr(command, "commands", {command.name: command}).values()
        assert {leaf.name for leaf in leaves} <= seen
