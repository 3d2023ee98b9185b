"""What `dvc repro` needs of params.yaml is there after an upgrade, and means what it meant."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from twotower.common.yaml_file import read_yaml
from twotower.config import load_config
from twotower.project.missing_keys import add_missing_keys, named_keys

TEXT = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
ALIASES = "guard: &none {}\nevaluate: *none\n"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def is_in(raw: Any, key: str) -> bool:
    """Whether DVC finds a key."""
    for name in key.split("."):
        if not isinstance(raw, dict) or name not in raw:
            return False
        raw = raw[name]
    return True


def lacking(path: Path) -> list[str]:
    raw = read_yaml(path)
    return sorted(key for key in named_keys() if not is_in(raw, key))


def test_names_are_those_of_stages_and_of_paths() -> None:
    assert {"portable", "data", "data.root", "evaluate.cluster", "hpo.n_trials"} <= named_keys()


def test_nothing_is_added_to_the_file_of_this_version(params: Path) -> None:
    params.write_text(TEXT, encoding="utf-8")
    assert lacking(params) == []
    assert add_missing_keys(params) == []
    assert params.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "".join(line for line in TEXT.splitlines(keepends=True) if "portable:" not in line),
        "",
        "seed: 7",
        "evaluate: {ks: [10]}\nhpo:\n  n_trials: 3\n\n# end\n",
        '{"seed": 7, "split": {"strategy": "random"}, "data": {}}',
    ],
)
def test_whatever_lacks_is_added_once_and_changes_no_value(params: Path, text: str) -> None:
    params.write_text(text, encoding="utf-8")
    before, missing = load_config(params), lacking(params)
    said = add_missing_keys(params)
    assert missing
    assert said
    assert all(line.startswith("params.yaml: added, with its default: ") for line in said)
    assert lacking(params) == []
    assert load_config(params) == before
    assert add_missing_keys(params) == []


@pytest.mark.parametrize("text", ["seed: x\n", "seed: [\n", "[]\n", None])
def test_a_file_that_is_not_valid_stays_as_it_is(params: Path, text: str | None) -> None:
    if text is not None:
        params.write_text(text, encoding="utf-8")
    (line,) = add_missing_keys(params)
    assert line == "params.yaml: not valid, so no key is added to it; twotower check says why"
    assert text == (params.read_text(encoding="utf-8") if params.exists() else None)


def test_parts_that_are_linked_are_left_to_the_user(params: Path) -> None:
    params.write_text(ALIASES, encoding="utf-8")
    assert "params.yaml: lacks a key that dvc.yaml names; add it: evaluate.cluster: null" in (
        add_missing_keys(params)
    )
    assert params.read_text(encoding="utf-8") == ALIASES
