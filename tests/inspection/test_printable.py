import pytest

from twotower.inspection.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[31mb", "a\\x1b[31mb"), ("\0", "\\x00"), ("ñ\n\u202f", "ñ\\n\\u202f"), ("\\", "\\")],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
