"""The short form of `python -m benchmarks.slow_clients`."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')

from benchmarks import slow_clients
from benchmarks.http_load import PROCESSES


@pytest.mark.slow
@pytest.mark.skipif(not PROCESSES.is_dir(), reason="memory is read from /proc, which is Linux's")
def test_headers_without_end_get_nobody_far(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.md"
    options = ["endless", "--seconds", "2", "--markdown", str(table)]
    monkeypatch.setattr(sys, "argv", ["slow_clients", *options])
    slow_clients.main()
    row = table.read_text().splitlines()[2].strip("| ").split(" | ")
    assert (row[0], row[1], row[-1]) == ("headers without end", "4", "0")
    assert table.read_text() in capsys.readouterr().out
