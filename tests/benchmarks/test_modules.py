"""The frame of `python -m benchmarks`; what is measured takes minutes and is not run here."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as frame
from benchmarks import modules
from benchmarks.markdown import cells, sentence, written
from benchmarks.measured import Line, Picture, Scale, Text
from benchmarks.modules import Module, NotRun

LINE = Line("ranking", "ms", 1.5, ours=3000, limit=1500, against="torch.topk")


def test_each_benchmark_has_its_table_in_the_document() -> None:
    text = frame.DOCUMENT.read_text(encoding="utf-8")
    for name in modules.modules():
        assert "new\n\n<!-- end" in written(text, name, "new")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE, ["3,000 ms", "1,500 ms (torch.topk)", "2.00", "1.5", "**misses**"]),
        (Line("start", "s", 2, ours=1.234), ["1.23 s", "", "", "2 s", "holds"]),
        (Line("GPU", "s", 2, note="no GPU"), ["", "", "", "2 s", "not run: no GPU"]),
        (Line("CPU", "s", 2, float("nan"), 1), ["nan s", "1 s", "nan", "2", "not run"]),
        (Line("rounded", "ms", 100, 99.96), ["100 ms", "", "", "100 ms", "holds"]),
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


@pytest.mark.parametrize(("failed", "texts"), [(False, ["start", "more"]), (True, [])])
def test_what_the_document_gets(
    monkeypatch: pytest.MonkeyPatch, *, failed: bool, texts: list[str]
) -> None:
    found = [LINE, Text("more", "| a |"), NotRun("no GPU", failed=failed)]
    monkeypatch.setattr(frame, "found", lambda *_: iter(found))
    report = frame.run(Module("start"), "quick", "Quick, on a toaster.")
    assert report.failed == failed
    assert [text.name for text in report.texts] == texts
    assert all("| 2.00 |" in text.markdown for text in report.texts[:1])
    assert all(text.markdown.endswith("\n\nQuick, on a toaster.") for text in report.texts[:1])


def test_the_summary_names_what_misses_its_aim() -> None:
    lines = [LINE, Line("start", "s", 2, ours=1.9), Line("GPU", "s", 2, note="no GPU")]
    assert frame.summary(lines).splitlines() == [
        "1 of 3 lines hold",
        "missed: ranking",
        "not run: GPU",
    ]


def test_tables_and_pictures_go_where_they_belong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("# A\n<!-- tables: start -->\nold\n<!-- end of tables: start -->\n")
    monkeypatch.setattr(frame, "DOCUMENT", document)
    monkeypatch.setattr(frame, "IMAGES", tmp_path)
    frame.write([Text("start", "new")], [Picture("growth.png", b"png")])
    assert "\n\nnew\n\n" in document.read_text()
    assert "old" not in document.read_text()
    assert (tmp_path / "growth.png").read_bytes() == b"png"
