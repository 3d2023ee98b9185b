"""Values and comments in a section of params.yaml, whose other keys and comments stay."""

from collections.abc import Mapping, Sequence
from typing import Any

from twotower.inspection.settings import Setting

COLUMN = 29
"""Where comments begin, if the line is short enough."""


def apply_settings(section: Any, settings: Sequence[Setting]) -> None:
    """Set keys of a section, with their comments; mappings are replaced as a whole.

    Args:
        section: a mapping of the round trip of ruamel.yaml, changed in place.
        settings: their paths begin in `section`.
    """
    for setting in settings:
        node = section
        for part in setting.key[:-1]:
            if not isinstance(node.get(part), Mapping):
                node[part] = _commented({})
            node = node[part]
            node.fa.set_block_style()
        if setting.value is not None or setting.key[-1] in node:
            _set(node, setting)


def _set(node: Any, setting: Setting) -> None:
    """Set one key; lines of comment below it belong to the next key, and stay."""
    key = setting.key[-1]
    node[key] = _commented(setting.value)
    if setting.comment is None:
        return
    token = node.ca.items.pop(key, [None] * 4)[2]
    below = token.value.partition("\n")[2] if token else ""
    if setting.comment:
        node.yaml_add_eol_comment(setting.comment, key, column=COLUMN)
        node.ca.items[key][2].value += f"\n{below}" if below else ""
    elif below:
        token.value = f"\n{below}"
        node.ca.items[key] = [None, None, token, None]


def _commented(value: Any) -> Any:
    """A mapping as the round trip has them: the outer one over lines, inner ones on one line."""
    from ruamel.yaml.comments import CommentedMap

    if not isinstance(value, Mapping):
        return value
    block = CommentedMap(value)
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            block[key] = CommentedMap(inner)
            block[key].fa.set_flow_style()
    return block
