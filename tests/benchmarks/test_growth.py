"""What growth is shown by; the stages themselves take minutes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks import growth, growth_report
from benchmarks.growth_report import Curve, Point
from benchmarks.measured import Cost, Line, Picture, Text
from twotower.plots.pictures import BrowserError


def curve(*points: tuple[int, float, float]) -> Curve:
    return Curve("prepare", "interactions", [Point(n, Cost(2 * s, s, b)) for n, s, b in points])


LINEAR = curve((10_000, 1.0, 2e6), (100_000, 10.0, 11e6))


def test_all_that_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(name: str, each: float) -> Callable[[Path, int], dict[str, Cost]]:
        return lambda _, size: {name: Cost(1.0, 5 + each * size, 1e8 + 50 * size)}

    def no_browser(_: Sequence[Curve]) -> Picture:
        raise BrowserError("no Chrome")

    monkeypatch.setattr(growth, "of_rows", measured("refit", 1e-4))
    monkeypatch.setattr(growth, "of_trials", measured("hpo, trials", 0.1))
    monkeypatch.setattr(growth, "of_items", measured("recommend", 1e-5))
    monkeypatch.setattr(growth_report, "picture", no_browser)
    *lines, by_size, largest = growth.lines("full")
    assert [line.what for line in lines if isinstance(line, Line)] == [
        "refit, processor time from 1,000,000 to 10,000,000 interactions",
        "hpo, processor time from 100 to 1,000 trials",
        "recommend, processor time from 1,000,000 to 10,000,000 items",
    ]
    assert isinstance(by_size, Text)
    assert by_size.markdown.count("\n") == 1 + 4 + 3 + 4  # the rule, and a row a point
    assert isinstance(largest, Text)
    assert "hpo" not in largest.markdown  # its peak does not grow
    assert "no plot of growth: no Chrome" in capsys.readouterr().err


def test_growth_is_held_against_n_log_n() -> None:
    line = growth.line(LINEAR)
    # 10⁵ · 5 / (10⁴ · 4) = 12.5 times
    assert line.ours == 10
    assert line.limit == pytest.approx(12.5)
    assert growth.line(curve((10_000, 1.0, 1), (100_000, 100.0, 1))).holds is False


def test_a_table_has_the_slopes() -> None:
    last = growth_report.by_size([LINEAR]).splitlines()[-1]
    # of the peak: log10(11 / 2)
    assert last == "| prepare | 100,000 interactions | 20 | 10 | 11 | 1.00 | 0.74 |"


def test_the_largest_job_by_hand() -> None:
    # 100 bytes each and 1 MB at any size; 7/8 of 24 GB are 21 GB.
    assert LINEAR.bytes_each == pytest.approx(100)
    assert LINEAR.largest(21e9) == pytest.approx(21e9 / 100 - 1e4)
    [row] = growth_report.largest_jobs([LINEAR, curve((1, 1, 5), (10, 1, 5))]).splitlines()[2:]
    assert row.startswith("| prepare | 100 | 200,000,000 interactions |")


@pytest.mark.parametrize(
    ("size", "rounded"), [(12_345, 12_000), (9.99e8, 990_000_000), (7.5, 7), (0, 0)]
)
def test_sizes_are_rounded_down(size: float, rounded: int) -> None:
    assert growth_report.rounded_down(size) == rounded


def test_the_plot_has_a_panel_for_what_grows_and_a_colour_a_stage() -> None:
    trials = Curve("hpo", "trials", LINEAR.points)
    traces = growth_report.drawn([LINEAR, trials]).data
    stages = {(trace.xaxis, trace.name) for trace in traces if trace.name != "linear growth"}
    assert stages == {("x", "prepare"), ("x3", "prepare"), ("x2", "hpo"), ("x4", "hpo")}
    assert len({trace.line.color for trace in traces}) == 3
    assert sorted(t.name for t in traces if t.showlegend) == ["hpo", "linear growth", "prepare"]


def test_a_shop_has_the_size_that_is_asked_for(tmp_path: Path) -> None:
    raw = growth.write_shop(tmp_path / "raw", 2000, items=50)
    rows = pq.read_table(raw / "interactions.parquet").to_pandas()
    assert len(rows) == 2000
    assert rows["user_id"].nunique() == 100
    assert rows["timestamp"].is_monotonic_increasing
