"""YAML as DVC reads it: version 1.2, in which `on` is text, 010 is ten and 1e-4 is a number."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from twotower.common.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """The content of a YAML file as plain values; keys that are given twice are refused.

    Raises:
        ConfigError: naming the file and the place, without the line itself: it may hold a password.
        FileNotFoundError: if there is no such file.
    """
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except MarkedYAMLError as error:
        msg = f"{path}: not valid YAML: {_problem(error)}"
        raise ConfigError(msg) from None
    except (YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None


def _problem(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if repeated := re.match(r'found duplicate key "(.*?)" with value', problem):
        problem = f"{repeated[1]} is given twice"
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{problem}{place}"
