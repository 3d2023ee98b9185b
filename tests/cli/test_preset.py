import shutil
from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower
from tests.conftest import REPOSITORY
from twotower.cli.preset import apply_preset
from twotower.common.errors import ConfigError
from twotower.common.sources import find_preset
from twotower.config import load_config
from twotower.config.effects import ANY_DATA

PRESETS = sorted((REPOSITORY / "presets").glob("*.yaml"))
QUALITY = REPOSITORY / "presets" / "quality.yaml"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(REPOSITORY / "params.yaml", tmp_path / "params.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_fits_the_committed_file(preset: Path, params: Path) -> None:
    assert apply_preset(preset, params)
    after = params.read_text(encoding="utf-8")
    assert apply_preset(preset, params) == []
    assert params.read_text(encoding="utf-8") == after


def test_comments_and_other_keys_stay(params: Path) -> None:
    before = params.read_text(encoding="utf-8")
    changes = apply_preset(QUALITY, params)
    assert any(line.startswith("hpo.search_space: ") for line in changes)
    after = params.read_text(encoding="utf-8")
    comments = {line.partition("#")[2] for line in before.splitlines() if "#" in line}
    lost = {comment for comment in comments if comment not in after}
    # Comments inside the old search space go with it.
    space = before.partition("search_space:")[2].partition("  fixed:")[0]
    assert all(comment in space for comment in lost)
    assert load_config(params).hpo.n_trials == 40
    assert load_config(params).split.strategy == "temporal"


def test_a_link_to_shared_parameters_stays(params: Path, tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(params)
    assert apply_preset(QUALITY, tmp_path / "link.yaml")
    assert apply_preset(QUALITY, params) == []


def test_data_and_quality_together(params: Path) -> None:
    command = ["preset", REPOSITORY / "presets" / "gowalla.yaml", QUALITY, "--params", params]
    assert "data.root: data/sample -> gowalla\n" in twotower(*command).stdout
    assert twotower(*command).stdout == f"{params} is unchanged: it has all of these values\n"
    config = load_config(params)
    assert (config.split.strategy, config.hpo.objective) == ("given", "ndcg_at_20")
    assert config.model.init == "spectral"


SEARCHES = ("quality", "compact", "sequence")


@pytest.mark.parametrize("last", SEARCHES)
def test_a_preset_of_a_search_leaves_nothing_of_another(last: str, tmp_path: Path) -> None:
    """What trials train with, whichever presets were applied before."""
    found = []
    for first in SEARCHES:
        params = Path(shutil.copy(REPOSITORY / "params.yaml", tmp_path / f"{first}.yaml"))
        for name in (first, last):
            apply_preset(REPOSITORY / "presets" / f"{name}.yaml", params)
        config = load_config(params)
        space = config.search_space
        found.append(space.effective(space.default_params, ANY_DATA))
    assert found[0] == found[1] == found[2]


def test_what_breaks_a_rule_changes_nothing(tmp_path: Path, params: Path) -> None:
    before = params.read_bytes()
    preset = tmp_path / "mine.yaml"
    preset.write_text("model: {dim: -8}\n", encoding="utf-8")
    assert "mine.yaml: model.dim" in error_of("preset", preset, "--params", params)
    assert params.read_bytes() == before


def test_a_name_that_is_nearly_right_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model: {dim: 8}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mien.yaml: no such .*; did you mean .*mine.yaml\?"):
        find_preset(str(tmp_path / "mien.yaml"))
    with pytest.raises(ConfigError, match=r"did you mean quality\?"):
        find_preset("presets/qualty.yaml")
    (tmp_path / "params.yaml").touch()
    for other in ("something.yaml", "param.yaml"):  # in the same folder, which tells nothing
        with pytest.raises(ConfigError, match=f"{other}: no such preset, and no such file$"):
            find_preset(str(tmp_path / other))


def test_a_preset_has_a_name_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no folder of presets
    assert [find_preset(path.stem) for path in PRESETS] == PRESETS
    assert find_preset("presets/quality.yaml") == QUALITY
    own = tmp_path / "presets" / "quality.yaml"
    own.parent.mkdir()
    own.touch()
    assert find_preset("presets/quality.yaml").resolve() == own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("[1]", "has no sections"),
        ("seed: 3", "seed: must be a section"),
        ("a: [", "not valid YAML"),
    ],
)
def test_an_unusable_preset_is_named(tmp_path, params, text, words) -> None:
    preset = tmp_path / "mine.yaml"
    if text is not None:
        preset.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        apply_preset(find_preset(str(preset)), params)
