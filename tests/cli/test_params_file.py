from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.cli.params_file import read_commented, section_text, write_sections
from twotower.common.errors import ConfigError
from twotower.config import load_config

TEXT = """\
# Knobs.
seed: 1
# The model.
model:  # is small
  dim: 8   # of vectors
  hidden: []

# The search.
hpo:
  search_space: {dim: {type: int, low: 8, high: 64, step: 8, only_if: {init: random}}}   # wide
"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_one_section_changes_and_the_rest_stays_to_the_letter(params: Path) -> None:
    content = read_commented(params)
    content["model"]["dim"] = 16
    assert section_text(content, "model") == (
        "model:  # is small\n  dim: 16  # of vectors\n  hidden: []\n"
    )
    write_sections(params, content, ["model"], "me")
    expected = TEXT.replace("dim: 8   #", "dim: 16  #")
    assert params.read_text(encoding="utf-8") == expected


def test_a_new_section_comes_last(params: Path) -> None:
    content = read_commented(params)
    content["train"] = {"epochs": 3}
    write_sections(params, content, ["train"], "me")
    assert params.read_text(encoding="utf-8") == TEXT + "train:\n  epochs: 3\n"


@pytest.mark.parametrize("text", ['{"seed": 1, "model": {"dim": 8}}', "seed: 1\nmodel:\n  dim: 8"])
def test_other_ways_to_write_the_file(params: Path, text: str) -> None:
    params.write_text(text, encoding="utf-8")
    content = read_commented(params)
    content["model"]["dim"] = 16
    content["train"] = {"epochs": 3}
    write_sections(params, content, ["model", "train"], "me")
    config = load_config(params)
    assert (config.seed, config.model.dim, config.train.epochs) == (1, 16, 3)


def test_the_committed_file_is_as_it_would_be_written(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    text = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    params.write_text(text, encoding="utf-8")
    content = read_commented(params)
    write_sections(params, content, ["data", "guard", "split", "model"], "me")
    assert params.read_text(encoding="utf-8") == text


def test_what_breaks_a_rule_is_not_written(params: Path) -> None:
    content = read_commented(params)
    content["model"]["dim"] = -8
    with pytest.raises(ConfigError, match=r"me: model\.dim"):
        write_sections(params, content, ["model"], "me")
    assert params.read_text(encoding="utf-8") == TEXT
