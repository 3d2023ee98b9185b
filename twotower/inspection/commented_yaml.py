"""Values and comments in a section of params.yaml, whose other keys and comments stay."""

from collections.abc import Mapping, Sequence
from typing import Any

from twotower.common.printable import printable
from twotower.inspection.settings import Setting

COLUMN = 29
"""Where comments begin, if the line is short enough."""


def apply_settings(content: Any, name: str, settings: Sequence[Setting]) -> None:
    """Set keys of a section, with their comments; mappings are replaced as a whole.

    Args:
        content: all sections, of the round trip of ruamel.yaml, changed in place.
        name: of the section.
        settings: their paths begin in the section.
    """
    section = _mapping(content, name)
    for setting in settings:
        node = section
        for part in setting.key[:-1]:
            node = _mapping(node, part)
        if setting.value is not None or setting.key[-1] in node:
            _set(node, setting)


def _mapping(node: Any, key: str) -> Any:
    """The mapping of a key, over lines; an empty one if there is none."""
    if not isinstance(node.get(key), Mapping):
        node[key] = _commented({})
    node[key].fa.set_block_style()
    return node[key]


def _set(node: Any, setting: Setting) -> None:
    """Set one key; lines of comment below it belong to the next key, and stay."""
    key = setting.key[-1]
    node[key] = _commented(setting.value)
    if setting.comment is not None:
        below = _below(node, key)
        node.ca.items.pop(key, None)
        if setting.comment or below:
            _put(node, key, f"{setting.comment and '# '}{printable(setting.comment)}\n{below}")


def _below(node: Any, key: str) -> str:
    """Comment lines and blank lines below a key, which belong to the next one."""
    comment = node.ca.items.get(key)
    return comment[2].value.partition("\n")[2] if comment and comment[2] else ""


def _put(node: Any, key: str, text: str) -> None:
    """What follows the value of a key: its comment, a line break, what is below."""
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    token = CommentToken(text, CommentMark(COLUMN), None)
    node.ca.items[key] = [*node.ca.items.get(key, [None, None])[:2], token, None]


def _commented(value: Any) -> Any:
    """A mapping as the round trip has them, on one line; an empty one may yet be filled."""
    from ruamel.yaml.comments import CommentedMap

    if not isinstance(value, Mapping):
        return value
    mapping = CommentedMap(value)
    if value:
        mapping.fa.set_flow_style()
    return mapping
