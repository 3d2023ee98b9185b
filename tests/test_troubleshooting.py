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
def strings() -> list[str]:
    """Every string of the library."""
    trees = (
        ast.parse(path.read_bytes()) for path in sorted((REPOSITORY / "twotower").rglob("*.py"))
    )
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.expr))
    return [text(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)]


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if quoted(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_quoted_message_is_a_string_of_the_library(page: Path) -> None:
    def is_said(quote: str) -> bool:
        pattern = re.compile(".*".join(map(re.escape, quote.split(VARIABLE))), re.DOTALL)
        return any(pattern.search(string) for string in strings())

    assert [quote for quote in quoted(page) if not is_said(quote)] == []


def test_the_page_of_troubles_quotes_messages_of_every_kind() -> None:
    assert len(quoted(DOCS / "troubleshooting.md")) > 100
