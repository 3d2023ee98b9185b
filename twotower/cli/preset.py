"""`twotower preset`: writes presets into params.yaml, whose comments and other keys stay."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from twotower.cli.app import app, examples
from twotower.cli.params_file import read_commented, write_sections
from twotower.common.choices import did_you_mean, nearest
from twotower.common.errors import ConfigError
from twotower.common.paths import PARAMS
from twotower.common.sources import presets


@app.command(
    epilog=examples(
        "twotower preset quality",
        "twotower preset ml-100k quality    # one after the other",
        "twotower preset my/own.yaml",
    ),
)
def preset(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="PRESET",
            help=f"One of {', '.join(presets())}, or YAML files.",
        ),
    ],
    params: Annotated[Path, typer.Option(help="File to change.")] = PARAMS,
) -> None:
    """Write the keys of presets into params.yaml.

    Comments and all other keys stay. If the result would break a rule, nothing is changed.
    """
    paths = [find_preset(name) for name in names]
    changes = [line for path in paths for line in apply_preset(path, params)]
    typer.echo("\n".join(changes) or f"{params} is unchanged: it has all of these values")


def find_preset(name: str) -> Path:
    """The file of a preset: one that is there, or one of ours, whose folder may be named as well.

    Raises:
        ConfigError: naming the one that may be meant.
    """
    path, ours = Path(name), presets()
    if path.is_file():
        return path
    for stem, file in ours.items():
        if path.as_posix() in (stem, f"presets/{stem}.yaml"):
            return file
    beside = [str(file) for file in sorted(path.parent.glob("*.yaml"))]
    meant = [*nearest(path.stem, ours), *nearest(name, beside)]
    parts = [f"{name}: no such preset, and no such file", did_you_mean(meant[:1])]
    raise ConfigError("; ".join(filter(None, parts)))


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
    from twotower.config import load_config

    load_config(params)
    written, wanted = read_commented(params), read_commented(preset)
    changes = list(_merge(written, wanted, preset))
    write_sections(params, written, wanted, str(preset))
    return changes


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
