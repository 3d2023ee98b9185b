"""One more entry in the text of a YAML file, of which all else stays to the letter."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML

WIDTH = 100_000
"""Columns after which a value would be broken: no value is."""


def with_entry(
    text: str, section: str | None, key: str, value: Any, before: Sequence[str] = ()
) -> str:
    """The text with one more entry.

    Args:
        text: of a file that holds a mapping, or nothing but comments.
        section: of the file, a mapping without the key; None: the entry is of the file itself.
        key: of the entry.
        value: plain, as from JSON.
        before: the keys that the entry comes after, where they are there.
    """
    text = text if text.endswith("\n") or not text else f"{text}\n"
    node, end = YAML(typ="safe", pure=True).compose(text), text.count("\n")
    if section is not None:
        inner = next(value for name, value in node.value if name.value == section)
        node, end = inner, _ends(node, end)[section]
    if node is not None and node.flow_style:
        start = text.index("{", node.start_mark.index) + 1  # behind an anchor, if it has one
        others = ", " if node.value else ""
        return f"{text[:start]}{in_a_line(key, value)}{others}{text[start:]}"
    lines = text.splitlines(keepends=True)
    at, column = _place(node, end, lines, before)
    new = in_a_line(key, value) if section is not None else _over_lines(key, value)
    return "".join((*lines[:at], f"{' ' * column}{new}\n", *lines[at:]))


def in_a_line(key: str, value: Any) -> str:
    """An entry as `key: value`."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = True, False, WIDTH
    written = io.StringIO()
    yaml.dump({key: value}, written)
    return written.getvalue().strip()[1:-1]


def _over_lines(key: str, value: Any) -> str:
    """An entry of the file, a section with a line for each of its own."""
    if isinstance(value, Mapping) and value:
        return "\n  ".join((f"{key}:", *(in_a_line(*entry) for entry in value.items())))
    return in_a_line(key, value)


def _place(node: Any, end: int, lines: Sequence[str], before: Sequence[str]) -> tuple[int, int]:
    """Line and column of a new entry, above comments and blank lines, which say what follows."""
    if node is None:
        return end, 0
    ends = _ends(node, end)
    at = max((ends[key] for key in before if key in ends), default=0)
    first = node.value[0][0].start_mark
    while at > first.line and lines[at - 1].strip()[:1] in ("", "#"):
        at -= 1
    return max(at, first.line), first.column


def _ends(node: Any, end: int) -> dict[str, int]:
    """For each key of a mapping over lines, the line where the next one begins.

    Args:
        node: the mapping.
        end: the line after it.
    """
    starts = [name.start_mark.line for name, _ in node.value]
    following = [*starts[1:], end]
    return {name.value: line for (name, _), line in zip(node.value, following, strict=True)}
