import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twotower.assessment.looks import looks_text, num_looks, record_look
from twotower.assessment.per_user import PerUser

VERDICT = {"scored": True, "objective": "recall_at_10"}
RANKED = PerUser(
    users=pd.Series([1, 2]),
    num_relevant=np.array([1, 1]),
    metrics={
        "optimized": {"recall_at_10": np.array([0.0, 1.0]), "mrr": np.array([0.05, 0.5])},
        "popularity": {"recall_at_10": np.zeros(2), "mrr": np.zeros(2)},
    },
    digests={"test_rows": "rows", "masks": "masks"},
)


def changed(scorer: str = "optimized", **metrics: Any) -> PerUser:
    return replace(RANKED, metrics=RANKED.metrics | {scorer: RANKED.metrics[scorer] | metrics})


def test_the_same_model_on_the_same_rows_is_one_look(tmp_path: Path) -> None:
    assert record_look(tmp_path, VERDICT, RANKED) == 1
    assert record_look(tmp_path, VERDICT, RANKED) == 1
    further = changed(recall_at_20=np.ones(2))
    rival = changed("popularity", mrr=np.ones(2))
    in_another_order = changed(mrr=np.array([0.05 + 1e-16, 0.5]))
    for same in (further, rival, in_another_order):
        assert record_look(tmp_path, VERDICT, same) == 1
    (file,) = tmp_path.rglob("*.json")
    assert file.parent == tmp_path / ".hpo" / "looks" / "rows"
    want = {"masks": "masks", "objective": "recall_at_10", "test_rows": "rows", "value": 0.5}
    assert json.loads(file.read_text(encoding="utf-8")) == want


@pytest.mark.parametrize(
    ("verdict", "per_user"),
    [
        (VERDICT, changed(mrr=np.array([0.04, 0.5]))),
        (VERDICT, changed(recall_at_10=np.array([1.0, 0.0]))),
        (VERDICT, replace(RANKED, digests={"test_rows": "rows", "masks": "others"})),
        ({"scored": True, "objective": "mrr"}, RANKED),
    ],
)
def test_what_is_another_look(verdict: Any, per_user: PerUser, tmp_path: Path) -> None:
    record_look(tmp_path, VERDICT, RANKED)
    assert record_look(tmp_path, verdict, per_user) == 2


def test_other_rows_have_a_count_of_their_own(tmp_path: Path) -> None:
    record_look(tmp_path, VERDICT, RANKED)
    other = replace(RANKED, digests={"test_rows": "next week", "masks": "masks"})
    assert record_look(tmp_path, VERDICT, other) == 1


def test_a_model_without_test_scores_is_no_look(tmp_path: Path) -> None:
    nothing = {"scored": False}
    empty = PerUser(RANKED.users[:0], RANKED.num_relevant[:0])
    assert record_look(tmp_path, nothing, empty) == num_looks(tmp_path, nothing, empty) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_look_that_was_taken_elsewhere_counts_here_and_is_not_recorded(tmp_path: Path) -> None:
    assert num_looks(tmp_path, VERDICT, RANKED) == 1
    assert list(tmp_path.iterdir()) == []
    record_look(tmp_path, VERDICT, changed(mrr=np.zeros(2)))
    assert num_looks(tmp_path, VERDICT, RANKED) == 2


def test_looks_taken_at_once_are_all_counted_and_half_a_file_is_none(tmp_path: Path) -> None:
    models = [changed(mrr=np.full(2, number / 10)) for number in range(8)] * 2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda model: record_look(tmp_path, VERDICT, model), models))
    (tmp_path / ".hpo" / "looks" / "rows" / ".tmp-1").write_text("{", encoding="utf-8")
    assert num_looks(tmp_path, VERDICT, models[0]) == 8


def conclusion(*, over_seeds: float | None = None, **p_values: float) -> dict[str, Any]:
    comparisons = {
        name: {
            "beaten": p_value <= 0.05,
            "p_value": p_value,
            "over_seeds": over_seeds and {"p_value": over_seeds},
        }
        for name, p_value in p_values.items()
    }
    return {"alpha": 0.05, "comparisons": comparisons}


@pytest.mark.parametrize("looks", [0, 1])
def test_of_one_look_there_is_nothing_to_say(looks: int) -> None:
    assert looks_text(looks, {}) == ""


def test_what_several_looks_do_to_a_claim() -> None:
    several = (
        "this test split has been looked at 14 times: with the best of 14 picked by test score, "
        "a claim at 5 % is wrong in up to 70 % of cases"
    )
    needed = "0.05 / 14 = 0.0036"
    kept = looks_text(14, conclusion(ease=0.002, random=0.0001))
    assert (
        kept == f"{several}; the claim holds for each of the 14 looks (p 0.002 is at most {needed})"
    )
    part = looks_text(14, conclusion(ease=0.3, random=0.0001))
    assert part.endswith(
        f"; what is beaten stays beaten for each of the 14 looks (p 0.0001 is at most {needed})"
    )
    lost = looks_text(14, conclusion(ease=0.02, item_knn=0.0037, random=0.0001))
    assert lost == (
        f"{several}; beating ease (p 0.02), item_knn (p 0.0037) would not hold then, "
        f"it takes p {needed}"
    )
    assert looks_text(14, conclusion(ease=0.3)) == several


def test_the_mean_over_seeds_has_to_hold_as_well() -> None:
    assert "beating ease (p 0.04) would not hold" in looks_text(
        2, conclusion(ease=0.001, over_seeds=0.04)
    )


def test_no_share_is_above_all() -> None:
    assert "looked at 1,000 times" in looks_text(1000, conclusion(ease=0.3))
    assert "in up to 100 % of cases" in looks_text(1000, conclusion(ease=0.3))
