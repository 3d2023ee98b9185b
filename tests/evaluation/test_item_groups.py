"""Warm and cold items as evaluation sets of their own, and the objectives that name them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import catalogue_of
from tests.evaluation.test_evaluate import KS, naive, pairs, random_vectors
from twotower.common.errors import ConfigError
from twotower.config import Config, parse_config
from twotower.data.prepared import Catalogue
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.item_groups import (
    assessed_as,
    by_group,
    check_objectives,
    mix_text,
    names_group,
    weights_of,
    with_mix,
)
from twotower.evaluation.metrics import metric_label, random_expectation

TRAIN = pairs(*((user, item) for user in range(6) for item in range(user, user + 4)))
HELD_OUT = pairs(
    *((user, user + 5) for user in range(6)), *((user, 20 + user % 3) for user in range(4))
)
CATALOGUE = catalogue_of(TRAIN).extend(pairs((0, 20), (0, 21), (0, 22), (0, 23)))
WARM = np.arange(len(CATALOGUE.items)) < 9
"""Items 0 to 8 have training rows, 20 to 23 have none."""


def whole() -> EvaluationSet:
    return evaluation_set(CATALOGUE, TRAIN, HELD_OUT, exclude_seen=True)


def test_the_groups_share_the_relevant_items() -> None:
    groups = by_group(whole(), WARM)
    found = {name: target.relevant.counts.sum() for name, target in groups.items()}
    assert found == {"all": 8, "warm": 4, "cold": 4}  # 9 and 10 are not in the catalogue
    assert groups["cold"].users.tolist() == [0, 1, 2, 3]
    assert groups["cold"].counts()["num_items"] == 4
    assert groups["cold"].num_candidates.tolist() == [4, 4, 4, 4]
    assert groups["warm"].num_candidates.tolist() == [5, 5, 5, 5]  # without four that are masked


def test_without_cold_items_to_find_there_are_no_groups() -> None:
    only_warm = evaluation_set(CATALOGUE, TRAIN, HELD_OUT[:6], exclude_seen=True)
    assert by_group(only_warm, WARM).keys() == {"all"}


@pytest.mark.parametrize("name", ["warm", "cold"])
def test_metrics_are_those_of_a_catalogue_of_the_group_alone(name: str) -> None:
    target, scorer = by_group(whole(), WARM)[name], random_vectors(6, len(WARM))
    found = evaluate(scorer, target, KS)
    # The same as masking all other items of every user.
    others = [
        np.union1d(np.flatnonzero((name == "warm") != WARM), items)
        for items in np.split(target.masked.items, target.masked.offsets[1:-1])
    ]
    masked = replace(target, candidates=None, masked=type(target.masked).of(others))
    for key, values in naive(masked, scorer).items():
        np.testing.assert_allclose(found.per_user[key], values, err_msg=key)
    chance, same = random_expectation(target, KS), random_expectation(masked, KS)
    for key, expected in same.per_user.items():
        np.testing.assert_allclose(chance.per_user[key], expected, err_msg=key)
    size = ((name == "warm") == WARM).sum()
    for key, value in same.overall.items():
        found_of_all, in_group = (
            (1 - value, 1 - chance.overall[key])  # of equality, not of inequality
            if key.startswith("gini")
            else (value, chance.overall[key])
        )
        assert in_group == pytest.approx(found_of_all * len(WARM) / size)
    assert found.overall["coverage_at_20"] <= 1.0
    assert not set(found.rankings.top.ravel()) - {-1, *np.flatnonzero((name == "warm") == WARM)}


def test_a_mix_is_a_weighted_sum_under_one_key() -> None:
    text = mix_text({"recall_at_10_warm": 0.5, "recall_at_10_cold": 2})
    assert text == "0.5 recall_at_10_warm and 2 recall_at_10_cold"
    assert weights_of(text) == {"recall_at_10_warm": 0.5, "recall_at_10_cold": 2.0}
    metrics = {"recall_at_10_warm": 0.2, "recall_at_10_cold": 0.3, "mrr": 0.1}
    assert with_mix(metrics, text)[text] == pytest.approx(0.7)
    assert with_mix(metrics, "mrr") == metrics
    assert metric_label(text) == "0.5 Recall@10 (warm) + 2 Recall@10 (cold)"
    assert [part if isinstance(part, str) else part.name for part in assessed_as(text)] == [
        "recall_at_10", "all",
    ]  # fmt: skip
    assert assessed_as("mrr_cold")[1].name == "cold"
    assert names_group(text)
    assert not names_group("mrr")


def test_params_yaml_may_name_a_group_or_a_mix() -> None:
    assert parse_config({"hpo": {"objective": "mrr_cold"}}).reports_item_groups
    mixed = parse_config({"hpo": {"objective": {"mrr": 0.5, "ndcg_at_5_cold": 0.5}}})
    assert mixed.hpo.objective == "0.5 mrr and 0.5 ndcg_at_5_cold"
    assert parse_config({"split": {"cold_items": 0.1}}).reports_item_groups
    assert not parse_config({}).reports_item_groups


def test_the_text_of_a_mix_has_the_whole_weight_and_no_exponent() -> None:
    weights = {"mrr": 1e6, "recall_at_10": 1e-7, "ndcg_at_5": 0.123456789}
    text = mix_text(weights)
    assert text == "1000000 mrr and 0.0000001 recall_at_10 and 0.123456789 ndcg_at_5"
    assert weights_of(text) == weights
    assert parse_config({"hpo": {"objective": "1.0 mrr"}}).hpo.objective == "mrr"


@pytest.mark.parametrize(
    ("objective", "rule"),
    [
        ("-1 mrr and 1 recall_at_10", "must be one of .*, got '-1 mrr and 1 recall_at_10'"),
        ("0.0 mrr and 1 recall_at_10", "the weight of mrr must be a number above 0, got 0.0"),
        ("1.2.3 mrr and 1 recall_at_10", "must be one of .*, got '1.2.3 mrr and"),
        ("recall_at_7_cold", "must be one of .*, got 'recall_at_7_cold'"),
        ("recall at 10", "must be one of .*, got 'recall at 10'"),
        ({"mrr": 0.5, "recal_at_10": 0.5}, ".*, got 'recal_at_10'; did you mean recall_at_10"),
        ({"mrr": 0, "recall_at_10": 1}, "the weight of mrr must be a number above 0, got 0"),
        ({"mrr": float("nan"), "recall_at_10": 1}, "the weight of mrr must be a number above 0"),
        ({}, "must name a metric"),
    ],
)
def test_what_is_no_objective(objective: object, rule: str) -> None:
    with pytest.raises(ConfigError, match=f"hpo.objective: {rule}"):
        parse_config({"hpo": {"objective": objective}})


def test_an_objective_of_items_that_there_are_not_names_the_key_that_settles_it() -> None:
    objective = "recall_at_10_cold"
    config = parse_config({"hpo": {"objective": objective}})
    with pytest.raises(
        ConfigError,
        match=r"recall_at_10_cold is of items without training rows.*"
        r"set split.cold_items, e.g. 0.1, or hpo.objective: recall_at_10",
    ):
        check_objectives([objective], groups(config, catalogue_of(TRAIN), HELD_OUT))
    with pytest.raises(ConfigError, match=r"hpo.objectives: .*, e.g. 0.1, or recall_at_10 in its"):
        check_objectives(["mrr", objective], groups(config, catalogue_of(TRAIN), HELD_OUT))
    assert groups(config, CATALOGUE, HELD_OUT).keys() == {"all", "warm", "cold"}
    check_objectives([objective], groups(config, CATALOGUE, HELD_OUT))
    check_objectives([objective], groups(config, CATALOGUE, HELD_OUT[:0]))


def groups(
    config: Config, catalogue: Catalogue, held_out: pd.DataFrame
) -> dict[str, EvaluationSet]:
    held = HeldOut.of(catalogue, TRAIN, TRAIN[:0], held_out, exclude_seen=True)
    return held.groups(config)
