"""The folder that a fit works in: a project like any other, whose raw files are data frames."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from twotower.common.errors import ConfigError
from twotower.common.files import write_text
from twotower.common.paths import PARAMS, check_place
from twotower.common.sources import find_preset
from twotower.common.yaml_file import read_yaml
from twotower.config import Config
from twotower.config.data import ItemTableConfig, TableConfig
from twotower.config.params import config_with
from twotower.ingest.recognised_names import is_named
from twotower.inspection.names import TITLES
from twotower.notebook.raw_frames import write_frame

MARK = "# Written by twotower.fit, and written anew by the next one.\n"


def settings(config: Mapping[str, Any] | Config | Path | str | None) -> Config:
    """All parameters of a fit; see `fit`.

    Raises:
        ConfigError: naming every key that breaks a rule, or is for files and stages alone.
    """
    if isinstance(config, str | Path):
        file = find_preset(str(Path(config).expanduser()))
        whole = config_with(read_yaml(file), str(config))
    else:
        whole = config if isinstance(config, Config) else config_with(config or {}, "config")
    if whole.mlflow.enabled:
        msg = "config: mlflow.enabled: twotower.fit does not track; the stages do (dvc repro)"
        raise ConfigError(msg)
    if any(whole.split.files.model_dump().values()):
        msg = "config: split.files: there are no files; split.column names a column of the frame"
        raise ConfigError(msg)
    return whole


def own_folder(folder: Path) -> Path:
    """The folder, if nobody else's project is in it.

    Raises:
        ConfigError: if there is one, or there can be no folder.
    """
    params = folder / PARAMS
    check_place(params)
    if params.is_file() and not params.read_text(encoding="utf-8").startswith(MARK):
        msg = f"{folder}: holds a project with a {PARAMS} of its own; give fit another folder"
        raise ConfigError(msg)
    return folder


def raw_folder(folder: Path) -> Path:
    """Where the frames are kept, inside `folder`; its last name heads the report."""
    return Path("data", "frames", folder.resolve().name)


def fill(folder: Path, frames: Mapping[str, Any], config: Config) -> Config:
    """Write the frames and params.yaml.

    Args:
        folder: created if it is missing.
        frames: by the role of the file: interactions, users and items; None: there is none.
        config: of the fit.

    Returns:
        The same parameters, with the places of the files.

    Raises:
        ConfigError: if features of a frame are declared that is not there.
        DataError: if a frame is none, or cannot be written.
    """
    _check_features(frames, config)
    raw, sections = raw_folder(folder), dict[str, Any]()
    for role, frame in frames.items():
        file, section = raw / f"{role}.parquet", getattr(config.data, role)
        if frame is None and isinstance(section, TableConfig):
            (folder / file).unlink(missing_ok=True)
            sections[role] = section.model_copy(update=_absent(section))
        else:
            write_frame(folder / file, frame, role)
            found = {"file": file.name, "format": None, **_title(section, folder / file)}
            sections[role] = section.model_copy(update=found)
    data = config.data.model_copy(update={**sections, "root": raw.as_posix()})
    _write_params(folder / PARAMS, config.model_copy(update={"data": data}))
    here = data.model_copy(update={"root": str(folder / raw)})
    return config.model_copy(update={"data": here})


def _check_features(frames: Mapping[str, Any], config: Config) -> None:
    for role in ("users", "items"):
        features = getattr(config.data, role).features
        required = [name for name, feature in features.items() if not feature.optional]
        if frames[role] is None and required:
            names = ", ".join(required)
            msg = f"config: data.{role}.features declares {names}, but fit got no {role}"
            raise ConfigError(msg)


def _title(section: Any, file: Path) -> dict[str, str]:
    """A column of text that is called like titles, where there is none of the default name."""
    schema = pq.read_schema(file)
    if not isinstance(section, ItemTableConfig) or section.title in (None, *schema.names):
        return {}
    if section.title != settings(None).data.items.title:
        return {}  # it is said that there is no such column
    for field in schema:
        if is_named(field.name, TITLES) and _is_text(field.type):
            return {"title": field.name}
    return {}


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(check(inner) for check in (pa.types.is_string, pa.types.is_large_string))


def _absent(section: TableConfig) -> dict[str, Any]:
    """What changes where there is no table: nobody need be told what optional columns it lacks."""
    titles = {"title": None} if isinstance(section, ItemTableConfig) else {}
    return {"file": "", "format": None, "features": {}, **titles}


def _write_params(path: Path, config: Config) -> None:
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.allow_unicode = False, True
    yaml.dump(config.model_dump(mode="json"), text)
    write_text(path, MARK + text.getvalue())
