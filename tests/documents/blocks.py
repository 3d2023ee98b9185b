"""Code blocks of the documents, and the commands in them."""

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt

from tests.conftest import REPOSITORY

MARK = re.compile(r"<!-- not (run|read): (.+?) -->\s*", re.DOTALL)
PROMPT, BACKSLASH = "$ ", "\\"
LEFT_OUT = {"CHANGELOG.md", "docs/experiments.md"}
"""They say what was, with the commands of the time."""


@dataclass(frozen=True)
class Block:
    """A fenced or indented block.

    Attributes:
        place: document and first line, e.g. `docs/search.md:34`.
        language: the first word after the fence; empty if there is none.
        why_not_run: what the comment `<!-- not run: … -->` directly above says; empty if there is
            none.
        is_read: false if the comment is `<!-- not read: … -->`: the command is one of an example
            in which something was added that is not here.
    """

    place: str
    language: str
    text: str
    why_not_run: str
    is_read: bool

    @property
    def document(self) -> str:
        return self.place.partition(":")[0]


@dataclass
class Command:
    """A command line, and the lines that the document shows below it."""

    place: str
    line: str
    output: list[str] = field(default_factory=list)


def documents() -> list[str]:
    """Paths of the Markdown files for users and contributors."""
    found = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]
    return sorted({path.relative_to(REPOSITORY).as_posix() for path in found} - LEFT_OUT)


@cache
def blocks(document: str) -> list[Block]:
    """All code blocks of a document, in order."""
    return list(parsed(document, (REPOSITORY / document).read_text(encoding="utf-8")))


def parsed(name: str, text: str) -> Iterator[Block]:
    """The code blocks of a Markdown text; those in lists and quotations, too."""
    above = ""
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in ("fence", "code_block") and token.map is not None:
            mark = MARK.fullmatch(above)
            yield Block(
                place=f"{name}:{token.map[0] + 1}",
                language=token.info.split()[0] if token.info.strip() else "",
                text=token.content,
                why_not_run=mark[2] if mark else "",
                is_read=not mark or mark[1] == "run",
            )
        above = token.content if token.type == "html_block" else ""


def console(document: str) -> list[Block]:
    return [block for block in blocks(document) if block.language == "console"]


def of_language(language: str) -> list[Block]:
    return [block for name in documents() for block in blocks(name) if block.language == language]


def commands(block: Block) -> list[Command]:
    """The commands of a `console` block, a line each, with what is shown below them.

    Raises:
        ValueError: if the block does not begin with a command.
    """
    document, _, first = block.place.partition(":")
    found: list[Command] = []
    continued = False
    for number, line in enumerate(block.text.splitlines(), start=int(first) + 1):
        if line.startswith(PROMPT):
            found.append(Command(f"{document}:{number}", line.removeprefix(PROMPT)))
        elif continued:
            found[-1].line = f"{found[-1].line.removesuffix(BACKSLASH)}{line.strip()}"
        elif found:
            found[-1].output.append(line)
        else:
            msg = f"{document}:{number}: a console block begins with '$ ', not with {line!r}"
            raise ValueError(msg)
        continued = not found[-1].output and found[-1].line.endswith(BACKSLASH)
    for command in found:
        while command.output and not command.output[-1].strip():
            command.output.pop()
    return found


def statements(block: Block) -> list[tuple[str, list[str]]]:
    """Source code of a `python` block, and what is shown below it.

    A session, with `>>>`, has an entry for each statement; other code is one, without output.
    """
    if not block.text.startswith(">>> "):
        return [(block.text, [])]
    examples = doctest.DocTestParser().get_examples(block.text)
    return [(example.source, example.want.splitlines()) for example in examples]
