"""The frame of `python -m benchmarks`; what is measured takes minutes and is not run here."""

import sys
import types
from collections.abc import Iterator

import pytest

from benchmarks import modules
from benchmarks.__main__ import DOCUMENT
from benchmarks.markdown import cells, sentence, written
from benchmarks.measured import Line, Scale
from benchmarks.modules import Module, NotRun

LINE = Line("ranking", "ms", 1.5, ours=3000, limit=1500, against="torch.topk")


def test_each_benchmark_has_its_table_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in modules.modules():
        assert "new\n\n<!-- end" in written(text, name, "new")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE, ["3,000 ms", "1,500 ms (torch.topk)", "2.00", "1.5", "**misses**"]),
        (Line("start", "s", 2, ours=1.234), ["1.23 s", "", "", "2 s", "holds"]),
        (Line("GPU", "s", 2, note="no GPU"), ["", "", "", "2 s", "not run: no GPU"]),
    ],
)
def test_cells_of_a_line(line: Line, said: list[str]) -> None:
    assert cells(line) == [line.what, *said]


def test_a_sentence_says_it_all() -> None:
    want = "ranking: 3,000 ms, limit 1,500 ms (torch.topk), ratio 2.00, aim 1.5: misses"
    assert sentence(LINE) == want


class Sender(list[object]):
    """What a benchmark's process has sent."""

    send = list.append


def sent(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> list[object]:
    def lines(_: Scale) -> Iterator[Line]:
        yield LINE
        raise error

    broken = types.ModuleType("benchmarks.broken")
    broken.lines = lines  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.broken", broken)
    sender = Sender()
    modules._measure(Module("broken"), "quick", sender)  # type: ignore[arg-type]
    return sender


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit("prepare.py: status 1"), NotRun("prepare.py: status 1", failed=True)),
        (ZeroDivisionError("oh"), NotRun("ZeroDivisionError: oh", failed=True)),
        (ModuleNotFoundError(name="implicit"), NotRun("implicit is not installed", failed=False)),
    ],
)
def test_a_benchmark_that_ends_early_says_why(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: NotRun
) -> None:
    assert sent(monkeypatch, error) == [LINE, reason]
