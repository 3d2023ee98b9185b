"""Holm's adjustment by hand and by its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.assessment.statistics.multiple import holm

P_VALUES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), max_size=8)


def test_by_hand() -> None:
    # 3 · 0.01; max(0.03, 2 · 0.04) = 0.08; max(0.08, 0.05) = 0.08
    assert holm({"b": 0.05, "a": 0.01, "c": 0.04}) == pytest.approx(
        {"b": 0.08, "a": 0.03, "c": 0.08}
    )
    assert holm({}) == {}
    assert holm({"a": 0.7, "b": 0.6}) == {"a": 1.0, "b": 1.0}


@given(P_VALUES, st.floats(0.01, 0.99))
def test_rejects_what_the_step_down_procedure_rejects(
    p_values: dict[str, float], alpha: float
) -> None:
    adjusted = holm(p_values)
    assert list(adjusted) == list(p_values)
    assert all(adjusted[name] >= p_values[name] for name in p_values)
    rejected: set[str] = set()
    for step, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        if (len(p_values) - step) * p_values[name] > alpha:
            break
        rejected.add(name)
    assert {name for name, value in adjusted.items() if value <= alpha} == rejected


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="recall: not a p-value"):
        holm({"recall": value})
