import pickle

import pytest

from twotower.common.bounded import bounded, one_line, shortened, shown
from twotower.common.errors import DataError


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "'a'"), ([1, None], "[1, None]"), ("x" * 78, f"'{'x' * 78}'"), (10**9, "1000000000")],
)
def test_a_short_value_is_shown_whole(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_long_value_is_cut_off() -> None:
    assert shown("x" * 79) == f"'{'x' * 78}…"
    assert shortened("abcdef", 4) == "abc…"


def test_a_reason_is_one_line_and_never_empty() -> None:
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(ValueError()) == "ValueError"


def test_a_long_line_keeps_its_beginning_and_what_to_do() -> None:
    text = bounded(f"file.csv: line 3: {'x' * 50_000}; set data.separator")
    assert len(text) == 1_000
    assert text.startswith("file.csv: line 3: xxx")
    assert text.endswith("xxx; set data.separator")
    assert " … " in text


def test_of_many_lines_the_first_stay() -> None:
    lines = bounded("\n".join(f"params.yaml: problem {number}" for number in range(1_050))).split(
        "\n"
    )
    assert lines[49:] == ["params.yaml: problem 49", "… and 1,000 more lines"]


def test_every_message_is_bounded_also_in_another_process() -> None:
    error = pickle.loads(pickle.dumps(DataError("y" * 9_999)))  # noqa: S301 - our own
    assert len(str(error)) == 1_000
    assert str(DataError("as it is")) == "as it is"
