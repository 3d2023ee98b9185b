from collections.abc import Callable
from typing import Any

import pytest

from twotower.report.score_charts import draw_gap, draw_scores, draw_slices, scorers
from twotower.report.sources import Sources


def test_a_bar_for_each_scorer_with_its_interval(sources: Sources) -> None:
    figure = draw_scores(sources).figure
    assert figure is not None
    (bars,) = figure.data
    assert list(zip(bars.y, bars.x, strict=True)) == scorers(sources)
    assert list(bars.x) == sorted(bars.x, reverse=True)
    assert {"optimized", "popularity", "random"} <= set(bars.y)
    intervals = sources.metrics["intervals"]["intervals"]
    for place, name in enumerate(bars.y):
        low, high = intervals.get(name, {}).get("recall_at_10", [bars.x[place]] * 2)
        assert bars.x[place] + bars.error_x.array[place] == pytest.approx(high)
        assert bars.x[place] - bars.error_x.arrayminus[place] == pytest.approx(low)


def test_equal_scores_are_in_alphabetical_order(changed: Callable[..., Sources]) -> None:
    same = {"recall_at_10": 0.5}
    names = dict.fromkeys(("random", "ease", "optimized"), same)
    test = changed("metrics/test.json", **names)
    assert [name for name, score in scorers(test) if score == 0.5] == [
        "ease",
        "optimized",
        "random",
    ]


def test_a_skipped_baseline_has_no_bar(changed: Callable[..., Sources]) -> None:
    skipped = changed("metrics/test.json", ease={"failure": "too large"})
    assert "ease" not in dict(scorers(skipped))


def test_the_gap_goes_from_validation_to_every_seed(sources: Sources) -> None:
    model, seeds, random = draw_gap(sources).figure.data  # type: ignore[union-attr]
    gap = sources.metrics["verdict"]["gap"]
    assert list(model.x) == list(random.x) == ["validation", "test"]
    assert list(model.y) == [gap["validation"]["value"], gap["test"]["value"]]
    assert list(seeds.y) == gap["seeds"]["values"][1:]
    assert set(random.y) == {gap["test"]["random"]}


def test_fresh_seeds_are_a_step_of_their_own(
    sources: Sources, changed: Callable[..., Sources]
) -> None:
    gap = sources.metrics["verdict"]["gap"]
    fresh: dict[str, Any] = {"mean": 0.3, "std": 0.1, "values": [0.2, 0.4]}
    confirmed = changed("metrics/verdict.json", gap={**gap, "confirmed": fresh})
    model, seeds, _ = draw_gap(confirmed).figure.data  # type: ignore[union-attr]
    assert list(model.x) == ["validation", "fresh seeds", "test"]
    assert model.y[1] == 0.3
    assert list(seeds.y[:2]) == [0.2, 0.4]


def test_slices_are_in_their_own_order(sources: Sources) -> None:
    charts = draw_slices(sources)
    assert [chart.name for chart in charts] == [
        "slice_user_activity",
        "slice_item_popularity",
        "slice_warmth",
    ]
    means = sources.metrics["slices"]["item_popularity"]
    for bars in charts[1].figure.data:  # type: ignore[union-attr]
        assert [name.split("<br>")[0] for name in bars.x] == ["head", "middle", "tail"]
        assert list(bars.y) == [
            means[name]["means"][bars.name] for name in ("head", "middle", "tail")
        ]


def test_without_test_scores_there_is_a_reason(changed: Callable[..., Sources]) -> None:
    blind = changed("metrics/verdict.json", scored=False, reason="refit.score_test is false")
    for chart in (draw_scores(blind), draw_gap(blind)):
        assert chart.figure is None
        assert chart.reason == "No test scores: refit.score_test is false."
    assert draw_slices(blind) == []
    assert scorers(blind) == []
