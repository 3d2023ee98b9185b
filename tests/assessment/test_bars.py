from twotower.assessment.bars import bars, in_order

METRICS = {
    "default": {"mrr": 0.2},
    "ease": {"failure": "too large"},
    "evaluated": {"num_users": 3},
    "item_knn": {"mrr": 0.4},
    "optimized": {"mrr": 0.3},
    "popularity": {"mrr": 0.2},
    "random": {"mrr": 0.01},
    "scored": True,
}


def test_the_model_first_then_the_best_and_random_last() -> None:
    assert in_order(METRICS, "mrr") == [
        "optimized", "item_knn", "default", "popularity", "ease", "random",
    ]  # fmt: skip


def test_a_bar_for_each_scorer_that_was_run() -> None:
    rows = bars(METRICS, {"optimized": {"mrr": [0.25, 0.35]}}, "mrr")
    assert [row["scorer"] for row in rows] == [
        "optimized", "item_knn", "default", "popularity", "random",
    ]  # fmt: skip
    assert rows[0] == {
        "scorer": "optimized", "metric": "mrr", "value": 0.3, "low": 0.25, "high": 0.35,
    }  # fmt: skip
    assert (rows[-1]["value"], rows[-1]["low"], rows[-1]["high"]) == (0.01, None, None)
