import errno

import pytest

from twotower.common.errors import one_line_errors


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


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError), one_line_errors():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")
