"""Every relative link and anchor of the documents leads to something."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from tests.conftest import REPOSITORY

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
PARSER = MarkdownIt("commonmark").enable("table")


def links(path: Path) -> Iterator[str]:
    """Addresses of a document's links and pictures, those in HTML included."""
    for token in PARSER.parse(path.read_text(encoding="utf-8")):
        if token.type == "html_block":
            yield from re.findall(r'(?:href|src|srcset)="(.*?)"', token.content)
        for child in token.children or []:
            yield from (str(child.attrs[name]) for name in ("href", "src") if name in child.attrs)


@cache
def anchors(path: Path) -> set[str]:
    """Of the headings, as GitHub makes them: words of small letters, numbered where they recur."""
    tokens = PARSER.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(part.content for part in inline.children or [])
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


@pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix()
)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links(path):
        address = urlsplit(link)
        if address.scheme:
            continue
        target = path.parent / unquote(address.path) if address.path else path
        assert target.exists(), link
        assert not address.fragment or unquote(address.fragment) in anchors(target), link


def test_the_index_lists_every_document() -> None:
    index = REPOSITORY / "docs" / "README.md"
    listed = {(index.parent / unquote(urlsplit(link).path)).resolve() for link in links(index)}
    assert {path.resolve() for path in DOCUMENTS if path.is_relative_to(index.parent)} <= {
        *listed,
        index.resolve(),
    }
