from pathlib import Path

from twotower.cli.params_file import read_commented, section_text
from twotower.inspection.commented_yaml import apply_settings
from twotower.inspection.settings import Setting

BEFORE = """\
data:
  root: here                 # a folder
  file: null                 # a name
    # about the map
  map: {a: 1, b: 2}
  features:                  # of a sample
    old: categorical         # gone
"""
AFTER = """\
data:
  root: there                # a folder
  file: x.csv                # 9 rows
    # about the map
  map:
    a: 3                     # three
    b: 2
  features:
    new: numeric
    tags: {kind: multi_valued, separator: ;}
"""
SETTINGS = [
    Setting(("root",), "there"),
    Setting(("file",), "x.csv", "9 rows"),
    Setting(("format",), None),
    Setting(("map", "a"), 3, "three"),
    Setting(("features",), {}, ""),
    Setting(("features", "new"), "numeric"),
    Setting(("features", "tags"), {"kind": "multi_valued", "separator": ";"}),
]


def applied(text: str, path: Path) -> str:
    path.write_text(text, encoding="utf-8")
    content = read_commented(path)
    apply_settings(content, "data", SETTINGS)
    return section_text(content, "data")


def test_values_and_comments_change_and_the_rest_stays(tmp_path: Path) -> None:
    assert applied(BEFORE, tmp_path / "params.yaml") == AFTER


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    assert applied(AFTER, tmp_path / "params.yaml") == AFTER


def test_examples_in_comments_are_one_line_of_valid_yaml(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("data:\n  file: x\n", encoding="utf-8")
    content = read_commented(path)
    apply_settings(content, "data", [Setting(("file",), "y", "such as \x1b[31m\nb")])
    path.write_text(section_text(content, "data"), encoding="utf-8")
    assert path.read_text(encoding="utf-8").endswith("# such as \\x1b[31m\\nb\n")
    assert read_commented(path)["data"]["file"] == "y"


def test_a_section_that_is_not_there(tmp_path: Path) -> None:
    text = applied("seed: 1\n", tmp_path / "params.yaml")
    assert text.startswith("data:\n  root: there\n  file: x.csv ")
    assert "format" not in text
