import pytest

from tests.plots.searches import random_trials, trial
from twotower.plots import chart


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (256, "256"), (True, "True"), ("<b>&", "&lt;b&gt;&amp;")],
)
def test_value_texts(value, text):
    assert chart.value_text(value) == text


def test_long_values_are_cut():
    assert chart.value_text("x" * 30) == "x" * 23 + "…"


def test_evidence_counts_users_and_trials(twenty, search):
    states = "20 trials: 18 complete, 1 failed, 1 pruned"
    assert chart.evidence(twenty) == f"validation split, 512 users · {states}"

    one = search(random_trials(1), num_users=1, complete=False)
    assert chart.evidence(one) == (
        "validation split, 1 user · 1 trial · stopped early, rerun to resume"
    )


def test_reasons_say_what_to_do(search):
    failed = trial(None, "FAIL", lr=0.01)
    assert "Set split.validation above 0" in chart.why_no_history(search([]))
    assert "the loss is not finite. See" in chart.why_no_history(search([failed, failed]))
    assert "2 failed, 0 pruned" in chart.why_no_comparison(search([failed, failed]))
    assert chart.why_no_history(search(random_trials(1))) == ""
    assert "Raise hpo.n_trials" in chart.why_no_comparison(search(random_trials(1)))
    assert "same Recall@10 (0.5)" in chart.why_no_comparison(search([trial(0.5, lr=0.01)] * 3))
    assert "nothing was searched" in chart.why_no_comparison(search([trial(0.5), trial(0.6)]))
    assert chart.why_no_comparison(search(random_trials(2))) == ""
