"""params.yaml, read and validated as a whole."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from twotower.common.bounded import shown
from twotower.common.choices import choice_rule
from twotower.common.errors import ConfigError
from twotower.common.paths import PARAMS
from twotower.common.secrets import has_password, mask_credentials
from twotower.common.sources import source_root
from twotower.common.yaml_file import read_yaml
from twotower.config.assessing import AssessConfig
from twotower.config.data import DataConfig
from twotower.config.hpo import HpoConfig
from twotower.config.messages import explain
from twotower.config.places import locate
from twotower.config.refit import RefitConfig
from twotower.config.reporting import MlflowConfig, VisualizeConfig
from twotower.config.search_space import SearchSpace
from twotower.config.section import Section
from twotower.config.splitting import GuardConfig, SplitConfig
from twotower.config.training import ModelConfig, TrainConfig, check_start
from twotower.evaluation.item_groups import names_group, split_key, weights_of
from twotower.evaluation.metrics import metric_keys, objectives

FORMAT_VERSION = 1
"""Raise it when a key of params.yaml is renamed or changes its meaning, and convert older files."""

SHOWN = 40
"""Number of problems that are listed."""

NAMED = (["hpo", "sampler"], ["hpo", "pruner"])
"""Where a name alone is short for a mapping with this type."""

ELSEWHERE = {
    "hpo.storage": "PGPASSWORD or ~/.pgpass",
    "mlflow.tracking_uri": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, of a database "
    "the whole URI into MLFLOW_TRACKING_URI",
}
"""Where the password of a key belongs."""


def _check_version(version: int) -> int:
    if version != FORMAT_VERSION:
        msg = f"this version of twotower reads {FORMAT_VERSION}, got {version}; upgrade twotower"
        raise ValueError(msg)
    return version


class Config(Section):
    """All of params.yaml."""

    format_version: Annotated[
        int,
        AfterValidator(_check_version),
        Field(json_schema_extra={"minimum": FORMAT_VERSION, "maximum": FORMAT_VERSION}),
    ] = FORMAT_VERSION
    """Of this file; a file without it is of version 1."""
    seed: int = Field(default=42, ge=0)
    """Of everything random: sampling of users, random splits, proposals, trainings, resamples."""
    portable: bool = False
    """Whether numerical libraries use only what every x86-64 CPU with AVX2 has: on Linux, all such
    CPUs then write the same bytes. Elsewhere it has no effect. See docs/determinism.md."""
    data: DataConfig = DataConfig()
    guard: GuardConfig = GuardConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: AssessConfig = AssessConfig()
    hpo: HpoConfig = HpoConfig()
    refit: RefitConfig = RefitConfig()
    visualize: VisualizeConfig = VisualizeConfig()
    mlflow: MlflowConfig = MlflowConfig()

    @cached_property
    def search_space(self) -> SearchSpace:
        """What `hpo` searches over the sections `model` and `train`, built once."""
        return SearchSpace.of(self.model, self.train, self.hpo)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with other sections; their search space is built anew."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("search_space", None)  # pydantic copies what was cached
        return copy

    @model_validator(mode="after")
    def _check_objective(self) -> "Config":
        choices = objectives(self.evaluate.ks)
        name = "hpo.objectives, the first" if self.hpo.objectives else "hpo.objective"
        for key in weights_of(self.hpo.objective):
            if split_key(key)[0] not in choices:
                msg = f"{name}: {choice_rule(key, choices)}"
                raise ValueError(msg)
        choices = metric_keys(self.evaluate.ks)
        for key in self.hpo.objectives or ():
            if split_key(key)[0] not in choices:
                msg = f"hpo.objectives: {choice_rule(key, choices)}"
                raise ValueError(msg)
        return self

    @property
    def reports_item_groups(self) -> bool:
        """Whether metrics are of warm and of cold items as well as of all."""
        return self.split.cold_items > 0 or any(map(names_group, self.hpo.directions))

    @model_validator(mode="after")
    def _check_start(self) -> "Config":
        check_start(self.model, self.train)
        return self

    @model_validator(mode="after")
    def _check_search_space(self) -> "Config":
        if not self.search_space.searched and not self.search_space.settled:
            msg = "hpo.search_space: hpo.fixed and only_if leave nothing to search"
            raise ValueError(msg)
        return self


def load_config(path: Path = PARAMS, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate all of `path`.

    Args:
        path: a YAML file.
        overrides: values that replace those of the file, by dotted key, e.g. `hpo.n_trials`.

    Raises:
        ConfigError: naming the file and every key that breaks a rule, one per line.
    """
    try:
        raw = read_yaml(path)
    except FileNotFoundError:
        advice = "run this in the folder of the project, or make one: twotower init"
        msg = f"{path}: no such file; {advice}"
        raise ConfigError(msg) from None
    raw = {} if raw is None else raw
    for key, value in (overrides or {}).items():
        _override(raw, key, value)
    return parse_config(raw, source=str(path))


def stated_secrets(config: Config) -> Iterator[str]:
    """A line for each key whose URI has a password, with the place for it."""
    given = {"hpo.storage": config.hpo.storage, "mlflow.tracking_uri": config.mlflow.tracking_uri}
    for key, uri in given.items():
        if uri and has_password(uri):
            yield (
                f"{key} holds a password, which git keeps with params.yaml, and ps shows on a "
                f"command line: put it into {ELSEWHERE[key]}"
            )


def config_with(changes: Mapping[str, Any], source: str) -> Config:
    """The default parameters with other values.

    Args:
        changes: sections as in params.yaml, each of whose keys is replaced as a whole; or values by
            dotted key, e.g. `hpo.n_trials`.
        source: of the changes, for messages.

    Raises:
        ConfigError: naming every key that breaks a rule, one per line.
    """
    if not isinstance(changes, Mapping):
        msg = f"{source}: must be keys and their values, got {shown(changes)}"
        raise ConfigError(msg)
    raw = read_yaml(source_root() / PARAMS)
    for key, value in sorted(changes.items(), key=_is_no_section):
        if isinstance(value, Mapping) and "." not in str(key):
            for name, inner in value.items():
                _replace(raw, f"{key}.{name}", inner)
        else:
            _replace(raw, str(key), value)
    return parse_config(raw, source)


def data_section(path: Path = PARAMS) -> DataConfig:
    """Section `data` of `path`, whatever the others hold; the defaults if there is no such file.

    Raises:
        ConfigError: as `load_config` does.
    """
    raw = read_yaml(path) if path.is_file() else None
    data = raw.get("data") if isinstance(raw, dict) else None
    return parse_config({"data": data} if data else {}, source=str(path)).data


def parse_config(raw: Any, source: str = "params.yaml") -> Config:
    """Validate what a YAML reader returned.

    Raises:
        ConfigError: as `load_config` does.
    """
    try:
        return Config.model_validate(raw)
    except ConfigError as error:
        msg = f"{source}: {error}"
        raise ConfigError(msg) from None
    except ValidationError as error:
        problems = error.errors()
        lines = [_line(problem) for problem in problems[:SHOWN]]
        more = len(problems) - SHOWN
        lines += [f"and {more:,} more problems"] if more > 0 else []
        text = "\n".join(f"{source}: {line}" for line in lines)
        raise ConfigError(mask_credentials(text)) from None


def _override(raw: Any, key: str, value: Any) -> None:
    """Set one value of a file, unless what is on the way is a mistake, to which we shall object."""
    *sections, name = key.split(".")
    for section in sections:
        if not isinstance(raw, dict):
            return
        raw = raw.setdefault(section, {})
    if isinstance(raw, dict):
        raw[name] = value


def _is_no_section(change: tuple[Any, Any]) -> bool:
    """Such a value comes last, so that no dotted key below it hides it from validation."""
    key, value = change
    return "." not in str(key) and not isinstance(value, Mapping)


def _replace(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set one value; a name on the way, as of a sampler, is its type, and no other value stays."""
    *sections, name = key.split(".")
    for depth, section in enumerate(sections):
        inner = raw.get(section)
        if not isinstance(inner, dict):
            raw[section] = {"type": inner} if sections[: depth + 1] in NAMED else {}
        raw = raw[section]
    raw[name] = value


def _line(problem: Any) -> str:
    place = locate(Config, problem["loc"])
    explained = explain(problem, place)
    return f"{place.key}: {explained}" if place.key else explained
