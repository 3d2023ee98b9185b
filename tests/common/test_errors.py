import errno
import os
import subprocess
import sys

import pytest

from twotower.common.errors import DataError, one_line_errors


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ((), "error: No space left on device\n"),
        (("a",), "error: a: No space left on device\n"),
        (("source", None, "target"), "error: target: No space left on device\n"),
    ],
)
def test_a_full_disk_is_one_line_that_names_it(
    names: tuple[str | None, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise OSError(errno.ENOSPC, "No space left on device", *names)
    assert ended.value.code == 1
    assert capsys.readouterr().err == line


def test_a_name_that_the_disk_does_not_take_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        raise OSError(errno.ENAMETOOLONG, "File name too long", "xx.csv")
    assert capsys.readouterr().err == "error: xx.csv: File name too long\n"


def test_a_message_holds_no_secret_and_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        raise DataError("a\x1b]0;b\x07.csv: http://me:s3cret@host\n\u202eb.csv")
    assert capsys.readouterr().err == (
        "error: a\\x1b]0;b\\x07.csv: http://***@host\n\\u202eb.csv\n"
    )


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError), one_line_errors():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")


def test_another_broken_pipe_keeps_its_traceback() -> None:
    with pytest.raises(BrokenPipeError), one_line_errors():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.skipif(sys.platform == "win32", reason="its pipes break in another way")
@pytest.mark.parametrize("lines", [1, 100_000])  # the one is written at the end only
def test_a_command_ends_in_silence_if_nobody_reads_its_output(lines: int) -> None:
    code = f"""
from twotower.common.errors import DataError, one_line_errors
with one_line_errors():
    for number in range({lines}):
        print(number)
"""
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, b"")
