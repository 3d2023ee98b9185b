"""Changes of params.yaml that keep its comments and other keys."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twotower.common.bounded import one_line
from twotower.common.errors import ConfigError
from twotower.common.files import followed, write_text

WIDTH = 100
"""Columns after which a line is broken."""


def read_commented(path: Path) -> Any:
    """The sections of a YAML file, with their comments.

    Raises:
        ConfigError: if the file cannot be read, or is not a mapping.
    """
    from ruamel.yaml.error import YAMLError

    from twotower.common.yaml_file import read_yaml

    try:
        read_yaml(path)  # refuses what the round trip would fall over
        content = _yaml().load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise ConfigError(msg) from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        msg = f"{path}: not valid YAML: {one_line(error)}"
        raise ConfigError(msg) from None
    if not isinstance(content, Mapping):
        msg = f"{path}: has no sections"
        raise ConfigError(msg)
    return content


def section_text(content: Any, name: str) -> str:
    """One section of `read_commented` as YAML, with its comments."""
    from ruamel.yaml.comments import CommentedMap

    alone = CommentedMap({name: content[name]})
    if name in content.ca.items:
        alone.ca.items[name] = content.ca.items[name]
    text = io.StringIO()
    _yaml().dump(alone, text)
    lines = text.getvalue().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line[0] not in "#\n")
    return "".join(lines[start : _end(lines)])


def write_sections(path: Path, content: Any, names: Iterable[str], source: str) -> None:
    """Write some sections to params.yaml, unless a rule would be broken; the others stay.

    Args:
        path: of params.yaml.
        content: of `read_commented`, changed since.
        names: of the sections that have changed.
        source: whose values these are, for the message.

    Raises:
        ConfigError: if the result is not valid; the file is as it was.
    """
    from twotower.common.yaml_file import parse_yaml
    from twotower.config import parse_config

    lines = f"{path.read_text(encoding='utf-8-sig').rstrip()}\n".splitlines(keepends=True)
    if lines[0][0] == "{":  # JSON has sections on one line
        names = list(content)
        lines.clear()
    for name in names:
        start = next((n for n, line in enumerate(lines) if line.startswith(f"{name}:")), len(lines))
        following = (n for n in range(start + 1, len(lines)) if lines[n][0] not in " #\n")
        end = _end(lines[: next(following, len(lines))])
        lines[start:end] = section_text(content, name).splitlines(keepends=True)
    text = "".join(lines)
    parse_config(parse_yaml(text, source), source=source)
    write_text(followed(path), text)


def _end(lines: Sequence[str]) -> int:
    """Number of lines without comments and blank lines at the end, which say what follows."""
    filled = [number for number, line in enumerate(lines) if line[0] not in "#\n"]
    return filled[-1] + 1 if filled else 0


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.representer.add_representer(type(None), _null)
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _null(representer: Any, _value: None) -> Any:
    """The word, which the round trip would leave out."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
