"""Messages that documents quote, in tables headed "message" or "mensaje", are those of the code."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
HEADS = ("| message |", "| mensaje |")
VARIABLE = "…"


def quoted(page: Path) -> list[str]:
    """What is between backticks in the first column of the tables of messages."""
    tables = re.findall(r"(?:^\|.*\n?)+", page.read_text(encoding="utf-8"), re.MULTILINE)
    rows = (row for table in tables if table.startswith(HEADS) for row in table.splitlines()[2:])
    return [quote for row in rows for quote in re.findall("`(.*?)`", row.split(" | ")[0])]


def text(node: ast.expr) -> str:
    """A string of the code, with … for what is put in, by an f-string or by `format`."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part) for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"{\w+(?::\w+)?}", VARIABLE, node.value)
    return VARIABLE


@cache
def strings() -> set[str]:
    """Every string of the library, but for names and the like."""
    trees = (ast.parse(path.read_bytes()) for path in (REPOSITORY / "twotower").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    texts = {text(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)}
    return {string for string in texts if " " in string}


def is_in(string: str, quote: str) -> bool:
    """Whether the fixed parts of a quote stand in a string one after the other."""
    for part in quote.split(VARIABLE):
        _, found, string = string.partition(part) if part else ("", VARIABLE, string)
        if not found:
            return False
    return True


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if quoted(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_quoted_message_is_a_string_of_the_library(page: Path) -> None:
    unknown = [
        quote for quote in quoted(page) if not any(is_in(string, quote) for string in strings())
    ]
    assert unknown == []


def test_the_page_of_troubles_quotes_messages_of_every_kind() -> None:
    assert len(quoted(DOCS / "troubleshooting.md")) > 100
