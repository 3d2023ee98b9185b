"""Changes of params.yaml that keep its comments and other keys."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twotower.common.errors import ConfigError
from twotower.common.files import write_text

WIDTH = 100
"""Columns after which a line is broken."""


def read_commented(path: Path) -> Any:
    """The sections of a YAML file, with their comments.

    Raises:
        ConfigError: if the file cannot be read, or is not a mapping.
    """
    from ruamel.yaml.error import YAMLError

    try:
        content = _yaml().load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise ConfigError(msg) from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None
    if not isinstance(content, Mapping):
        msg = f"{path}: has no sections"
        raise ConfigError(msg)
    return content


def commented_text(content: Any) -> str:
    """What `read_commented` gives, and any part of it, as YAML."""
    text = io.StringIO()
    _yaml().dump(content, text)
    return text.getvalue()


def write_params(path: Path, content: Any, source: str) -> None:
    """Write sections to params.yaml, unless a rule would be broken.

    Args:
        path: of params.yaml.
        content: of `read_commented`.
        source: whose values these are, for the message.

    Raises:
        ConfigError: if the result is not valid; the file is as it was.
    """
    from twotower.common.yaml_file import parse_yaml
    from twotower.config import parse_config

    text = commented_text(content)
    parse_config(parse_yaml(text, source), source=source)
    write_text(path, text)


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
