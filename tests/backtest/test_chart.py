from tests.backtest.contents import content, gain
from tests.backtest.pictures import table
from twotower.backtest.chart import draw_backtest, lines_of, mean_scores
from twotower.backtest.wording import sentences


def test_lines_are_the_models_the_best_baseline_and_popularity() -> None:
    assert lines_of(content()) == [
        "optimized", "never_retrained", "default", "ease", "popularity",
    ]  # fmt: skip
    assert mean_scores(content())["ease"] == 0.14


def test_points_are_the_scores_by_period() -> None:
    figure = draw_backtest(content()).figure
    assert figure is not None
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}
    assert list(lines["never retrained"].x) == ["2025-01-01 00:00", "2025-01-02 00:00"]
    assert list(lines["never retrained"].y) == [0.1, 0.1]
    assert lines["optimized"].error_y.array[0] == 0.25 - 0.2
    assert figure.data[-2].name == "optimized"  # on top of the other lines


def test_less_work_is_left_of_zero_where_it_costs() -> None:
    same = {"age_1": gain(), "default": gain(is_same=True)}
    figure = draw_backtest(content(gains=same)).figure
    assert figure is not None
    forest = figure.data[-1]
    assert (list(forest.y), list(forest.x)) == (["1 day old"], [-0.05])
    assert forest.error_x.array[0] == -0.01 + 0.05
    assert forest.error_x.arrayminus[0] == 0.09 - 0.05


def test_without_comparisons_there_is_one_part() -> None:
    figure = draw_backtest(content(gains={})).figure
    assert figure is not None
    assert len(figure.layout.annotations) == 1


def test_the_answers_are_below() -> None:
    assert draw_backtest(content()).notes == tuple(sentences(content()))


def test_the_table_of_the_document() -> None:
    header, rule, first, _, last = table(content())
    assert header == (
        "| period | users | optimized | never retrained | default | ease | popularity | verdict |"
    )
    assert header.count("|") == rule.count("|") == last.count("|")
    assert first.startswith("| 2025-01-01 to 2025-01-02 | 1,001 | 0.200 [0.150, 0.250] | 0.100 |")
