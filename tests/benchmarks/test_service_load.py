"""The short form of `python -m benchmarks.service_load`."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')

from benchmarks import service_load
from benchmarks.http_load import PROCESSES
from benchmarks.service_load import Seen, report


@pytest.mark.slow
@pytest.mark.skipif(not PROCESSES.is_dir(), reason="memory is read from /proc, which is Linux's")
def test_nothing_is_lost_while_models_are_swapped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = tmp_path / "table.md"
    monkeypatch.setattr(service_load, "SWAP", 1.0)
    monkeypatch.setattr(sys, "argv", ["service_load", "--seconds", "4", "--markdown", str(table)])
    with pytest.raises(SystemExit) as ended:
        service_load.main()
    assert ended.value.code == 0
    rows = dict(row.strip("| ").split(" | ") for row in table.read_text().splitlines()[2:])
    assert rows["dropped, refused or wrong"] == "0"
    assert int(rows["models swapped"]) >= 1


@pytest.mark.parametrize(
    ("fault", "answered", "lines"),
    [("wrong", 2, 2), ("dropped: reset", 2, 2), ("refused: busy", 2, 2), (None, 2, 1)],
)
def test_a_fault_is_told(fault: str | None, answered: int, lines: int) -> None:
    seen = Seen(seconds=[0.1] * 9, megabytes=[100.0] * 9)
    assert report(seen, 9, 2, 2)[1]
    if fault:
        seen.counts[fault] += 1
    assert not report(seen, 9, answered, lines)[1]
