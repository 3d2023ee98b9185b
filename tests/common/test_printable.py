import pytest

from twotower.common.printable import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[31mb", "a\\x1b[31mb"), ("\0", "\\x00"), ("ñ\n\u202f", "ñ\\n\\u202f"), ("\\", "\\")],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n\u202eb\r\n") == "a\n\\u202eb\\r\n"
