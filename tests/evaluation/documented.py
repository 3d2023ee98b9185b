"""The tables of docs/metrics.md: what the metrics are, and what they make of some rankings."""

import inspect

import numpy as np

from tests.evaluation.test_metrics import target
from twotower.evaluation.metrics import METRICS, Rankings, measure, random_expectation

YES_OR_NO = {True: "yes", False: "no"}
K = 5
CATALOGUE = 10
RANKINGS = (("x.x.......", 2), (".x...x....", 3), (".......x..", 1), ("..........", 1))
"""A catalogue as it is ranked for a user, x for a relevant item; and how many the user has."""
SHOWN = (f"recall_at_{K}", f"ndcg_at_{K}", f"hit_rate_at_{K}", "mrr")


def metrics() -> list[tuple[str, ...]]:
    """Key, what it is, whether it can be an objective."""
    return [
        (
            f"{row.name}_at_K" if row.has_cutoff else row.name,
            str(inspect.getdoc(row.measure)).split("\n\n")[0].replace("\n", " "),
            YES_OR_NO[row.can_be_objective],
        )
        for row in METRICS.values()
    ]


def examples() -> list[tuple[str, ...]]:
    """Ranking, relevant items, and its metrics."""
    rows = []
    for marks, num_relevant in RANKINGS:
        hits = np.array([[mark == "x" for mark in marks]])
        first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
        ranked = Rankings(np.arange(CATALOGUE)[None], hits, first)
        user = target(CATALOGUE, (num_relevant, marks.count("x")))
        values, chance = (measure(ranked, user, (K,)), random_expectation(user, (K,)))
        told = [f"{values.per_user[m][0]:.3f} ({chance.per_user[m][0]:.3f})" for m in SHOWN]
        rows.append((marks, str(num_relevant), *told))
    return rows


ROWS = {"metric": metrics(), "ranking": examples()}
"""By heading of a table."""
