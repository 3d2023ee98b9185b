"""Keys that dvc.yaml names and params.yaml lacks: without them DVC runs no stage."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twotower.common.errors import ConfigError
from twotower.common.files import followed, write_text
from twotower.common.paths import PARAMS
from twotower.common.sources import source_text
from twotower.common.yaml_file import parse_yaml
from twotower.config import Config, parse_config
from twotower.project.yaml_entry import in_a_line, with_entry

STAGES = "dvc.yaml"
INTERPOLATED = re.compile(r"\$\{([\w.]+)\}")


def named_keys() -> set[str]:
    """Keys and sections of params.yaml that the dvc.yaml of the installed version names."""
    text = source_text(STAGES)
    stages = parse_yaml(text, STAGES)["stages"].values()
    return {key for stage in stages for key in stage["params"]}.union(INTERPOLATED.findall(text))


def add_missing_keys(path: Path) -> list[str]:
    """Add the keys to params.yaml that dvc.yaml names and it lacks, with their defaults.

    Args:
        path: of params.yaml, all else of which stays as it is. If it is not valid, or links parts
            of itself such that an addition would change others, nothing is added.

    Returns:
        A line for each key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = parse_yaml(text, str(path))
        raw = {} if raw is None else raw
        config = parse_config(raw)
    except (OSError, UnicodeDecodeError, ConfigError):
        return [f"{PARAMS}: not valid, so no key is added to it; twotower check says why"]
    defaults = config.model_dump(mode="json")
    entries = list(_missing(raw, defaults))
    for section, key, value in entries:
        order = list(defaults if section is None else defaults[section])
        text = with_entry(text, section, key, value, order[: order.index(key)])
    said = [_place(section, in_a_line(key, value)) for section, key, value in entries]
    if not _means(text, config):
        return [f"{PARAMS}: lacks a key that {STAGES} names; add it: {entry}" for entry in said]
    if entries:
        write_text(followed(path), text)
    return [f"{PARAMS}: added, with its default: {entry}" for entry in said]


def _missing(
    raw: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[tuple[str | None, str, Any]]:
    """Section, key and default of each entry that is to be added; a new section is one entry."""
    named = named_keys()
    for name, default in defaults.items():
        if isinstance(default, Mapping):
            own = raw.get(name, {})
            lacking = {
                key: value
                for key, value in default.items()
                if f"{name}.{key}" in named and key not in own
            }
            if name in raw:
                yield from ((name, key, value) for key, value in lacking.items())
            elif lacking or name in named:
                yield None, name, lacking
        elif name in named and name not in raw:
            yield None, name, default


def _place(section: str | None, entry: str) -> str:
    return entry if section is None else f"{section}.{entry}"


def _means(text: str, config: Config) -> bool:
    """Whether a text is valid and says the same as before."""
    try:
        return parse_config(parse_yaml(text, PARAMS.name)) == config
    except ConfigError:
        return False
