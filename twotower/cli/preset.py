"""`twotower preset`: writes presets into params.yaml, whose comments and other keys stay."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from twotower.cli.app import app, examples
from twotower.common.choices import did_you_mean, nearest
from twotower.common.errors import ConfigError
from twotower.common.files import followed, write_text
from twotower.common.paths import PARAMS

WIDTH = 100
"""Columns after which a line is broken."""


@app.command(
    epilog=examples(
        "twotower preset presets/quality.yaml",
        "twotower preset presets/ml-100k.yaml presets/quality.yaml    # one after the other",
    ),
)
def preset(
    presets: Annotated[
        list[Path],
        typer.Argument(metavar="PRESET", help="YAML files, e.g. presets/quality.yaml."),
    ],
    params: Annotated[Path, typer.Option(help="File to change.")] = PARAMS,
) -> None:
    """Write the keys of presets into params.yaml.

    Comments and all other keys stay. If the result would break a rule, nothing is changed.
    """
    changes = [line for path in presets for line in apply_preset(path, params)]
    typer.echo("\n".join(changes) or f"{params} is unchanged: it has all of these values")


def apply_preset(preset: Path, params: Path = PARAMS) -> list[str]:
    """Change params.yaml, or leave it as it is if the result would break a rule.

    Args:
        preset: YAML file of sections; each of its keys replaces that of `params`, as a whole.
        params: changed in place.

    Returns:
        A line for each key that has changed, `section.key: old -> new`.

    Raises:
        ConfigError: if a file cannot be read, or the result is not valid.
    """
    from ruamel.yaml import YAML

    from twotower.common.yaml_file import parse_yaml
    from twotower.config import load_config, parse_config

    load_config(params)
    yaml = YAML()
    yaml.representer.add_representer(type(None), _null)
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    written, wanted = (_read(yaml, path) for path in (params, preset))
    changes = list(_merge(written, wanted, preset))
    text = io.StringIO()
    yaml.dump(written, text)
    parse_config(parse_yaml(text.getvalue(), str(preset)), source=str(preset))
    write_text(followed(params), text.getvalue())
    return changes


def _null(representer: Any, _value: None) -> Any:
    """The word, which the round trip would leave out."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _read(yaml: Any, path: Path) -> Any:
    from ruamel.yaml.error import YAMLError

    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        parts = [f"{path}: no such file", did_you_mean(_nearest(path))]
        raise ConfigError("; ".join(filter(None, parts))) from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None
    if not isinstance(content, Mapping):
        msg = f"{path}: has no sections"
        raise ConfigError(msg)
    return content


def _nearest(path: Path) -> list[str]:
    """The preset that may be meant."""
    folders = (Path("presets"), path.parent)
    files = {file.stem: str(file) for folder in folders for file in sorted(folder.glob("*.yaml"))}
    return [files[name] for name in nearest(path.stem, files)]


def _merge(written: Any, wanted: Mapping[str, Any], preset: Path) -> Iterator[str]:
    for section, values in wanted.items():
        if not isinstance(values, Mapping):
            msg = f"{preset}: {section}: must be a section of params.yaml"
            raise ConfigError(msg)
        own = written.setdefault(section, {})
        for key, value in values.items():
            old = own.get(key)
            if old != value:
                own[key] = value
                yield f"{section}.{key}: {_brief(old)} -> {_brief(value)}"


def _brief(value: Any) -> str:
    """One line; of a mapping only the keys."""
    return ", ".join(value) if isinstance(value, Mapping) else str(value)
