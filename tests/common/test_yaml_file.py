"""What files of YAML hold, and how files end that hold what no file should."""

from pathlib import Path
from warnings import catch_warnings

import pytest

from twotower.common.errors import ConfigError
from twotower.common.yaml_file import parse_yaml, read_yaml

LAUGHS = "\n".join(
    ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)
"""Ten lines that stand for 9^10 words."""


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ("2026-13-45", "timestamp"),
        ('!!int "abc"', "int"),
        ('!!int "0x_"', "int"),
        ('!!float "x"', "float"),
        ('!!bool "maybe"', "bool"),
        ("9" * 5_000, "int"),
        ("9" * 400, "int"),  # which no float can hold
        ("0x" + "f" * 4_300, "int"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_named_by_its_place(value: str, read_as: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(f"a: 1\nseed: {value}\n", "params.yaml")
    assert str(caught.value) == (
        f"params.yaml: not valid YAML: a value that cannot be read as {read_as}; if it is text, "
        "write quotes, line 2, column 7"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 1_000, "brackets or blocks are nested too deeply"),
        ("{a: " * 1_000, "brackets or blocks are nested too deeply"),
        ('a: "\\U00110000"', "chr() arg not in range(0x110000)"),
        (LAUGHS, "aliases (*name) repeat too much, or a value within itself, line "),
        ("a: &a [*a]", "aliases (*name) repeat too much, or a value within itself, line 1"),
        ("a: &a {b: *a}", "aliases (*name) repeat too much, or a value within itself, line 1"),
        ('a: 1\n"b\\nc": 2\n"b\\nc": secret', "b\nc is given twice, line 3, column 1"),
    ],
)
def test_files_that_explode_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "params.yaml")
    assert str(caught.value).startswith(f"params.yaml: not valid YAML: {problem}")


def test_aliases_are_welcome_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    lines = ("a: &a {b: [1, x]}", "c: *a", "d: {<<: *a, e: 2026-02-28}", "f: &a 1")
    path.write_text("\n".join(lines), encoding="utf-8")
    with catch_warnings(action="error"):  # of a name that is given to another value: it may be
        content = read_yaml(path)
    assert content["c"] == {"b": [1, "x"]}
    assert content["d"]["b"] == [1, "x"]


def test_half_a_byte_order_mark_is_no_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef")
    with pytest.raises(ConfigError, match="not valid YAML: 'utf-8' codec"):
        read_yaml(path)


def test_a_change_of_what_was_read_is_not_read_again() -> None:
    parse_yaml("a: {b: [1]}", "x")["a"]["b"].append(2)
    assert parse_yaml("a: {b: [1]}", "x") == {"a": {"b": [1]}}
