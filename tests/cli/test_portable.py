"""`twotower portable` becomes the program; tests/common has that it is pinned."""

import os

import pytest

from tests.cli.command import error_of, twotower
from twotower.common import portable


@pytest.mark.skipif(not portable.portable_here(), reason="needs Linux and AVX2")
def test_the_program_and_its_options_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _file, command: became.append(command))
    twotower("portable", "dask", "worker", "--nthreads", "1", "-h")
    assert became == [["dask", "worker", "--nthreads", "1", "-h"]]


@pytest.mark.parametrize(
    ("command", "here", "message"),
    [
        ("no-such-program", True, "no-such-program: No such file or directory"),
        ("dask", False, "portable: true has no effect here: it needs Linux on an x86-64"),
    ],
)
def test_a_program_that_cannot_be_run_so_is_one_line(
    monkeypatch: pytest.MonkeyPatch, command: str, here: bool, message: str
) -> None:
    monkeypatch.setattr(portable, "portable_here", lambda: here)
    if here and not portable.is_pinned():
        pytest.skip("needs Linux and AVX2")
    assert error_of("portable", command).startswith(message)
