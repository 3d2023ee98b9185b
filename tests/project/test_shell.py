import os

import pytest

from twotower.project import shell


@pytest.mark.parametrize(
    ("word", "posix", "windows"),
    [
        ("../shop", "../shop", "../shop"),
        ("my shop", "'my shop'", '"my shop"'),
        ("R&D", "'R&D'", '"R&D"'),
        ("$(x)", "'$(x)'", '"$(x)"'),
        ("it's", "'it'\"'\"'s'", '"it\'s"'),
    ],
)
def test_a_word_is_quoted_if_the_shell_needs_it(
    word: str, posix: str, windows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for system, expected in (("posix", posix), ("nt", windows)):
        with monkeypatch.context() as patched:
            patched.setattr(os, "name", system)
            said = shell.quoted(word)
        assert said == expected
