"""Whatever command line a document quotes can be typed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.conftest import REPOSITORY
from twotower.cli import app

PLACES = ("README.md", ".ci/retrain", "docs/*.md", "presets/*.yaml", "twotower/**/*.py")
DOCUMENTS = [path for place in PLACES for path in sorted(REPOSITORY.glob(place))]
LINE = re.compile(r"(?<![\w./:-])(?<!from )twotower ([a-z]+\b[^`|&#…\n]*)")


def quoted(path: Path) -> Iterator[list[str]]:
    """Words after `twotower` of each command line in a document; prose may follow them."""
    for match in LINE.finditer(path.read_text(encoding="utf-8")):
        yield re.findall(r"[^\s\"',;()]+", match[1])


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words that are left."""
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", ()):
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY))
def test_it_exists(path: Path) -> None:
    for words in quoted(path):
        command, rest = resolve(words)
        is_group = hasattr(command, "commands")  # which may be mentioned by itself
        assert not (is_group and rest), f"no such command: twotower {' '.join(words)}"
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options | {"--help"}
