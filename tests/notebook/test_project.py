"""Parameters of a fit, and the folder it works in."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from twotower.common.errors import ConfigError
from twotower.config import Config, load_config
from twotower.notebook.project import fill, own_folder, settings

DEFAULTS = load_config(REPOSITORY / "params.yaml")


def test_the_defaults_are_those_of_params_yaml() -> None:
    assert settings(None) == DEFAULTS


def test_a_section_replaces_keys_as_a_whole_and_a_dotted_key_one_value() -> None:
    config = settings({"hpo": {"search_space": {"lr": {"type": "float", "low": 1e-3, "high": 1}}}})
    assert list(config.hpo.search_space) == ["lr"]
    config = settings({"hpo.search_space.dim.high": 128, "seed": 7})
    assert config.seed == 7
    assert config.hpo.search_space.keys() == DEFAULTS.hpo.search_space.keys()
    assert config.hpo.search_space["dim"].model_dump()["high"] == 128


@pytest.mark.parametrize("changes", [{}, {"hpo.sampler": "tpe"}, {"hpo": {"sampler": "tpe"}}])
def test_options_below_the_name_of_a_sampler_are_its_own(changes: dict[str, Any]) -> None:
    sampler = settings({**changes, "hpo.sampler.n_startup_trials": 3}).hpo.sampler
    assert sampler.model_dump() == DEFAULTS.hpo.sampler.model_dump() | {"n_startup_trials": 3}


def test_a_file_of_sections_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("hpo: {n_trials: 3}")
    assert settings(tmp_path / "mine.yaml").hpo.n_trials == 3
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    assert settings("~/mine.yaml").hpo.n_trials == settings(Path("~/mine.yaml")).hpo.n_trials == 3
    assert settings(str(REPOSITORY / "params.yaml")) == DEFAULTS
    assert settings("quality") == settings(REPOSITORY / "presets" / "quality.yaml") != DEFAULTS


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hpo": {"n_trails": 3}}, r"^config: hpo\.n_trails: there is no such key; did you mean"),
        ({"hpo.n_trials": 0}, r"^config: hpo\.n_trials: must be greater than 0, got 0"),
        ({"hpo.n_trials.x": 3}, r"^config: hpo\.n_trials: must be a whole .*, got {'x': 3}$"),
        ({"seed.x": 3}, r"^config: seed: must be a whole .*, got {'x': 3}$"),
        ({"hpo": 5, "hpo.n_trials": 3}, "^config: hpo: must be keys and their values, got 5"),
        ({"hpo.sampler.n_startup_trails": 3}, "sampler.*did you mean n_startup_trials"),
        ({"hpo": None}, "^config: hpo: must be keys and their values"),
        ([1], r"^config: must be keys and their values, got \[1\]"),
        ("mine.yaml", r"^mine\.yaml: no such preset, and no such file"),
        ({"mlflow.enabled": True}, "twotower.fit does not track"),
        (
            {"split": {"strategy": "given", "files": {"train": "a.csv"}}},
            "split.column names a column",
        ),
    ],
)
def test_parameters_that_cannot_be_are_one_message(config: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(config)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    assert own_folder(tmp_path / "new") == tmp_path / "new"
    (tmp_path / "params.yaml").write_text("seed: 1")
    with pytest.raises(ConfigError, match="holds a project"):
        own_folder(tmp_path)
    with pytest.raises(ConfigError, match="is a file"):
        own_folder(tmp_path / "params.yaml" / "x")


def test_a_folder_is_filled_and_filled_again(tmp_path: Path) -> None:
    frame = pd.DataFrame({"item_id": [1, 2]})
    frames = {"interactions": frame, "users": None, "items": frame}
    config = fill(tmp_path, frames, DEFAULTS)
    raw = tmp_path / "data" / "frames" / tmp_path.name
    assert config.data.root == str(raw)
    assert config.data.items.file == "items.parquet"
    kept = load_config(tmp_path / "params.yaml")
    assert without_root(kept) == without_root(config)
    assert kept.data.root == f"data/frames/{tmp_path.name}"
    assert fill(own_folder(tmp_path), frames | {"items": None}, DEFAULTS).data.items.file == ""
    assert not (raw / "items.parquet").exists()


@pytest.mark.parametrize("role", ["users", "items"])
def test_features_of_a_frame_that_is_not_there_are_named(tmp_path: Path, role: str) -> None:
    features = {"age": "numeric", "city": {"kind": "categorical", "optional": True}}
    frames = {"interactions": pd.DataFrame({"item_id": [1]}), "users": None, "items": None}
    with pytest.raises(ConfigError) as error:
        fill(tmp_path, frames, settings({f"data.{role}.features": features}))
    said = f"config: data.{role}.features declares age, but fit got no {role}"
    assert str(error.value) == said
    del features["age"]
    filled = fill(tmp_path, frames, settings({f"data.{role}.features": features}))
    assert getattr(filled.data, role).features == {}


@pytest.mark.parametrize(
    ("columns", "config", "title"),
    [
        ({"Nombre Producto": ["a"], "titel": ["b"]}, None, "Nombre Producto"),
        ({"titre": pd.Categorical(["a"])}, None, "titre"),
        ({"titre": ["a"], "name": ["b"]}, None, "name"),
        ({"titre": [3]}, None, "name"),
        ({"titre": ["a"]}, {"data.items.title": "label"}, "label"),
        ({"titre": ["a"]}, {"data.items.title": None}, None),
    ],
)
def test_titles_are_recognised_where_none_are_named(
    tmp_path: Path, columns: dict[str, Any], config: Any, title: str | None
) -> None:
    items = pd.DataFrame({"item_id": [1], **columns})
    frames = {"interactions": items[["item_id"]], "users": None, "items": items}
    assert fill(tmp_path, frames, settings(config)).data.items.title == title


def without_root(config: Config) -> dict[str, Any]:
    return config.model_dump(exclude={"data": {"root"}})
