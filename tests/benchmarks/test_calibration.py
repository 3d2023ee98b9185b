"""The calibration over some tens of fixed seeds; benchmarks.calibration takes a thousand."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import (
    clusters,
    former,
    lift,
    looks,
    noise,
    peeking,
    promotions,
    users,
    worst,
)
from benchmarks.calibration.__main__ import SECTIONS
from benchmarks.calibration.tables import DOCUMENT, least_covered, most_claims, table
from benchmarks.calibration.worlds import EQUAL, LIFTED, World
from benchmarks.markdown import written
from twotower.evaluation.evaluate import evaluate

SEEDS = 60


@pytest.fixture(scope="module")
def found() -> users.Found:
    """Samples of 30 users in each world, EQUAL first."""
    return users.find((*EQUAL, *LIFTED), [30], range(SEEDS))[30]


def test_the_rule_seldom_claims_what_is_not_so(found: users.Found) -> None:
    claims = np.array(found.beaten)[:, : len(EQUAL)].mean(axis=0)
    assert claims.max() <= most_claims(SEEDS)


def test_the_former_rule_claims_it_where_the_baseline_wins_rarely_but_big(
    found: users.Found,
) -> None:
    rates = np.array(found.formerly).mean(axis=0)[:, 0]
    by_name = dict(zip((world.name for world in EQUAL), rates, strict=False))
    assert min(by_name[name] for name in by_name if name.startswith("heavy")) > 0.25
    assert by_name["sparse hits"] <= most_claims(SEEDS)


def test_a_large_lift_is_claimed_and_the_price_is_a_small_one_on_few_users(
    found: users.Found,
) -> None:
    power = dict(zip((w.name for w in LIFTED), np.array(found.beaten)[:, 4:, 0].T, strict=True))
    assert power["large, 10 % to 25 %"].mean() > 0.5
    assert power["small and steady, 3 points"].mean() == 0


def test_intervals_hold_the_truth(found: users.Found) -> None:
    for covered in (found.covered, found.lift_covered):
        assert np.array(covered).mean(axis=0).min() >= least_covered(SEEDS)
    assert np.array(found.formerly_covered).mean(axis=0).min() < least_covered(SEEDS)


@pytest.mark.parametrize("world", [*EQUAL, *LIFTED], ids=lambda world: world.name)
def test_the_truth_of_a_world_is_that_of_many_users(world: World) -> None:
    model, baselines = world.users(np.random.default_rng(0), 20_000, copies=1)
    assert baselines.min() >= 0 <= model.min()
    assert baselines.max() <= 1 >= model.max()
    columns = [(model, world.mean), *((model - one, world.lift) for one in baselines.T)]
    for values, truth in columns:
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(20_000))


def test_whole_households_are_resampled() -> None:
    fives = next(one for one in clusters.HOUSEHOLDS if one.name == "5")
    alone, together = clusters.claims(fives, 200, range(SEEDS))
    assert alone.mean() > most_claims(SEEDS) >= together.mean()


@pytest.mark.parametrize("households", clusters.HOUSEHOLDS, ids=lambda one: one.name)
def test_households_differ_by_nothing_on_average(households: clusters.Households) -> None:
    differences, codes = households.users(np.random.default_rng(0), 50_000)
    assert len(differences) == pytest.approx(50_000, rel=0.05)
    sums = np.bincount(codes, differences)
    error = sums.std() * np.sqrt(len(sums)) / len(differences)
    assert differences.mean() == pytest.approx(0, abs=4 * error)


def test_the_best_of_many_looks_needs_a_smaller_p_value() -> None:
    p = looks.picked(200, range(SEEDS))
    once, _, often = (p <= 0.05).mean(axis=0)
    assert once <= most_claims(SEEDS)
    assert often > 2 * once
    assert (p * looks.LOOKS <= 0.05).mean(axis=0).max() <= most_claims(SEEDS)


def test_daily_looks_at_equal_models_mislead_only_the_rule_of_one_look() -> None:
    many, one, last = peeking.rates(peeking.WORLDS[1], 3_000, 1.0, range(SEEDS))
    assert max(many, last) <= most_claims(SEEDS) < one


def test_candidates_as_good_as_the_champion_are_seldom_promoted() -> None:
    weekly, ever = promotions.rates(0.8, 0.05, range(8))
    assert weekly <= most_claims(8 * promotions.WEEKS)
    assert ever >= weekly
    assert promotions.promotions(0.8, 1.0, 0).all()


@pytest.mark.parametrize("hit", [0.5, 0.6, 0.9])
def test_the_exact_rule_is_that_of_clopper_and_pearson_for_two_values(hit: float) -> None:
    rule = worst.Rule(12)
    high = (1 - hit) / hit
    found = rule.p_values(np.array([-1.0, -1.0, high]))
    assert found == pytest.approx(stats.binom.sf(rule.samples[:, 2] - 1, 12, hit), abs=1e-6)


def test_no_distribution_is_found_that_breaks_the_rule() -> None:
    hunted = worst.hunt(5, 100, seed=0)
    assert 0.04 < hunted.rate <= 0.05
    assert hunted.values @ hunted.shares == pytest.approx(0, abs=1e-12)
    assert hunted.shares.sum() == pytest.approx(1)


def test_the_former_rule_in_a_sample_that_can_be_counted() -> None:
    differences = np.array([[0.1, 0.0]] * 3)
    assert former.flipped(differences, 0, 8000)[0] == pytest.approx(1 / 8, abs=0.02)
    assert former.flipped(differences, 0, 8000)[1] == 1
    assert former.resampled(differences, 0, 10) == pytest.approx(np.tile([0.1, 0.0], (10, 1)))


def test_signal_is_seldom_claimed_where_there_is_none() -> None:
    claimed = [
        noise.is_claim(noise.claim(world, seed, resamples=300))
        for world in noise.NO_TASTE.values()
        for seed in range(2)
    ]
    assert np.mean(claimed) <= most_claims(len(claimed))


def test_signal_is_claimed_where_there_is_some() -> None:
    assert all(noise.is_claim(noise.claim(noise.TASTE, seed, resamples=300)) for seed in range(3))


def test_intervals_hold_the_planted_lift() -> None:
    for shares in lift.coverage(range(10), num_users=300, resamples=300).values():
        assert min(shares.values()) >= least_covered(10)


def test_the_planted_lift_is_that_of_many_users() -> None:
    before, after = lift.rankings()
    truth = lift.expectation(after)
    target = lift.users_of_segments(10_000, np.random.default_rng(0))
    found = evaluate(lift.FixedRanking(after), target, (10,)).per_user
    for name, value in truth.items():
        assert found[name].mean() == pytest.approx(value, abs=4 * found[name].std() / 100), name
        assert found[name].mean() > lift.expectation(before)[name]


def test_bounds_are_those_of_as_many_seeds() -> None:
    assert most_claims(1000) == 0.073
    assert least_covered(1000) == 0.927
    assert most_claims(60) > most_claims(1000)


def test_tables_are_written_between_their_lines() -> None:
    document = "a\n<!-- tables: x -->\nold\n<!-- end of tables: x -->\nb\n"
    new = table(["one", "two"], [["1", r"\2"]], 1000)
    changed = written(document, "x", new)
    assert changed == document.replace(
        "old", "\n| one | two |\n|---|---|\n| 1 | \\2 |\n\n1,000 seeds.\n"
    )
    assert written(changed, "x", new) == changed
    with pytest.raises(ValueError, match="0 times"):
        written(document, "y", new)


def test_every_section_has_a_place_in_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    small: dict[Any, dict[str, Any]] = {
        users: {"SIZES": (5,), "RESAMPLES": 50},
        clusters: {"SIZES": (40,), "RESAMPLES": 50},
        looks: {"SIZES": (20,), "RESAMPLES": 50},
        promotions: {"USERS": 20, "RESAMPLES": 50},
        peeking: {"SIZES": (100,)},
        worst: {"SIZES": (5,), "TRIES": 2},
        noise: {"RESAMPLES": 50},
        lift: {"RESAMPLES": 50},
    }
    for module, values in small.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    for section in SECTIONS.values():
        for title, text in section.report(1).texts.items():
            assert text in written(document, title, text)
