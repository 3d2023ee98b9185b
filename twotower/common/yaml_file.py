"""YAML as DVC reads it: version 1.2, in which `on` is text, 010 is ten and 1e-4 is a number."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from twotower.common.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; see `parse_yaml`.

    Raises:
        ConfigError: also if it is not UTF-8.
        FileNotFoundError: if there is no such file.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"), str(path))
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
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        msg = f"{source}: not valid YAML: {_problem(error)}"
        raise ConfigError(msg) from None
    except YAMLError as error:
        msg = f"{source}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None


def _problem(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if repeated := re.match(r'found duplicate key "(.*?)" with value', problem):
        problem = f"{repeated[1]} is given twice"
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{problem}{place}"
