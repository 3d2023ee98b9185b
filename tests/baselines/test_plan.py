"""What EASE takes, and the sample of users that its l2 is chosen on."""

import numpy as np
import pytest

from tests.baselines.test_baseline import KS, small
from twotower.baselines.baseline import BASELINES, choose_setting
from twotower.baselines.ease_plan import Size, ease_plan
from twotower.baselines.plan import SAMPLE_USERS, Plan, sampled
from twotower.config.refit import BaselineBudget

SHOP = Size(1_800, 1_800, 13_540)
BEAUTY = Size(22_363, 12_101, 176_139)
GAMES = Size(31_013, 21_904, 287_000)
GOWALLA = Size(29_858, 40_981, 810_128)


def plan(size: Size, decays: int = 0, **budget: float) -> Plan:
    return ease_plan(size, size, 4, decays, BaselineBudget(**budget))


def test_small_data_are_fitted_without_a_word() -> None:
    assert plan(SHOP, decays=2) == Plan()


def test_what_takes_longer_is_announced() -> None:
    assert plan(BEAUTY, decays=2).notice.startswith("12,101 x 12,101 Gram matrix, about 1.0 GB and")


@pytest.mark.parametrize(("size", "decays"), [(GAMES, 2), (GOWALLA, 0)])
def test_where_all_users_do_not_fit_the_budget_a_sample_chooses(size: Size, decays: int) -> None:
    found = plan(size, decays)
    assert (found.obstacle, found.sample_users) == ("", SAMPLE_USERS)
    assert plan(size, decays, minutes=60).sample_users is None


@pytest.mark.parametrize("budget", [{"minutes": 1}, {"gigabytes": 1}])
def test_beyond_the_budget_it_is_left_out(budget: dict[str, float]) -> None:
    found = plan(GOWALLA, **budget)
    assert found.obstacle.startswith("29,858 x 29,858 Gram matrix, about 4.2 GB and")
    assert "refit.baseline_budget" in found.obstacle


def test_decays_take_a_dense_product_where_there_are_fewer_users() -> None:
    wide = Size(20_000, 40_000, 300_000)
    assert wide.score_seconds(decayed=True) > 10 * wide.score_seconds(decayed=False)
    assert BEAUTY.score_seconds(decayed=True) == BEAUTY.score_seconds(decayed=False)


def test_a_sample_holds_all_rows_of_some_users() -> None:
    rows, target = small()
    fewer, among = sampled(rows, target, 12, seed=1)
    assert (fewer.num_users, fewer.num_items) == (12, rows.num_items)
    histories, drawn = (
        data.interactions.distinct_items(data.num_users, data.num_items) for data in (rows, fewer)
    )
    whole = {tuple(histories.select(np.array([user])).items) for user in target.users}
    # Users with something to find come first, and there are enough of them.
    assert among.users.tolist() == list(range(12))
    for user in range(12):
        items = drawn.select(np.array([user])).items
        assert tuple(items) in whole
        assert among.masked.select(np.array([user])).items.tolist() == items.tolist()
        assert among.relevant.counts[user] <= among.num_relevant[user]


def test_the_seed_draws_the_sample() -> None:
    rows, target = small()
    first, again, other = (
        sampled(rows, target, 12, seed)[0].interactions.item_idx.tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_sample_of_all_users_chooses_as_all_do() -> None:
    rows, target = small()
    everyone, same = sampled(rows, target, rows.num_users, seed=1)
    assert everyone.interactions.user_idx.tolist() == rows.interactions.user_idx.tolist()
    for data, users in ((rows, target), (everyone, same)):
        chosen = choose_setting(BASELINES["ease"], data, users, "ndcg_at_10", KS)
        assert chosen == choose_setting(BASELINES["ease"], rows, target, "ndcg_at_10", KS)


def test_where_validation_has_too_few_users_others_are_drawn_too() -> None:
    rows, target = small()
    fewer, among = sampled(rows, target, len(target) + 1, seed=1)
    assert len(among) == len(target)
    assert fewer.num_users == min(len(target) + 1, rows.num_users)


def test_of_new_users_as_many_are_drawn_as_are_trained_on() -> None:
    rows, target = small()
    fewer, among = sampled(rows, target, 12, seed=1, are_new=True)
    assert fewer.num_users == len(among) == 12
    assert set(among.users) <= set(target.users)
    places = np.searchsorted(target.users, among.users)
    assert among.num_relevant.tolist() == target.num_relevant[places].tolist()
