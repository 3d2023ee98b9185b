"""YAML as DVC reads it: version 1.2, in which `on` is text, 010 is ten and 1e-4 is a number."""

import math
import re
from collections.abc import Iterable
from copy import deepcopy
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any
from warnings import catch_warnings

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from twotower.common.bounded import one_line
from twotower.common.errors import ConfigError

REPEATED = 1 << 20
"""Characters that aliases may add to a file: a dozen lines of them can stand for gigabytes."""


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; see `parse_yaml`.

    Raises:
        ConfigError: also if it is not UTF-8.
        FileNotFoundError: if there is no such file.
    """
    try:
        # Not read_text, which takes the first byte of a byte-order mark alone for an empty file.
        return parse_yaml(path.read_bytes().decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        msg = f"{path}: not valid YAML: {error}"
        raise ConfigError(msg) from None


def parse_yaml(text: str, source: str) -> Any:
    """The content of YAML text as plain values; keys that are given twice are refused.

    Args:
        text: a whole file.
        source: its name, for the message.

    Raises:
        ConfigError: naming the place, without the line itself: it may hold a password.
    """
    try:
        return deepcopy(_loaded(text))
    except MarkedYAMLError as error:
        problem = _problem(error)
    except RecursionError:
        problem = "brackets or blocks are nested too deeply"
    except (YAMLError, ValueError) as error:  # the latter of "\U00110000", which is no letter
        problem = one_line(error)
    msg = f"{source}: not valid YAML: {problem}"
    raise ConfigError(msg)


@lru_cache(maxsize=16)
def _loaded(text: str) -> Any:
    """The content, not to be changed. A process asks for some files again and again."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    with catch_warnings(action="ignore", category=ReusedAnchorWarning):  # which quotes the line
        return yaml.load(text)


class _Constructor(SafeConstructor):
    """Says where a value is that is none of its type, and refuses files that explode."""

    def construct_document(self, node: Node) -> Any:
        """The content of a whole file."""
        _check_aliases(node)
        return super().construct_document(node)

    def construct_non_recursive_object(self, node: Node, tag: str | None = None) -> Any:
        """The value of a node."""
        try:
            value = super().construct_non_recursive_object(node, tag)
            if isinstance(value, int):
                float(value)  # no parameter is beyond the range of floats, where formats end
        except (ValueError, KeyError, OverflowError):
            kind = str(tag or node.tag).rpartition(":")[2]
            problem = f"a value that cannot be read as {kind}; if it is text, write quotes"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark) from None
        return value


def _check_aliases(root: Node) -> None:
    """Refuse a file that is far longer with its aliases written out, or without an end.

    Raises:
        ConstructorError: naming the anchor that goes too far.
    """
    lengths: dict[int, float] = {}  # of nodes, aliases written out; infinite within themselves
    own = 0

    def length(node: Node) -> float:
        nonlocal own
        if id(node) in lengths:
            return lengths[id(node)]
        lengths[id(node)] = math.inf
        here = 1 + (len(node.value) if isinstance(node, ScalarNode) else 0)
        own += here
        total = here + sum(map(length, _inside(node)))
        if total > own + REPEATED:
            problem = "aliases (*name) repeat too much, or a value within itself"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark)
        lengths[id(node)] = total
        return total

    length(root)


def _inside(node: Node) -> Iterable[Node]:
    if isinstance(node, MappingNode):
        return chain.from_iterable(node.value)
    return () if isinstance(node, ScalarNode) else node.value


def _problem(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if repeated := re.match(r'found duplicate key "(.*?)" with value', problem, re.DOTALL):
        problem = f"{repeated[1]} is given twice"
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{problem}{place}"
