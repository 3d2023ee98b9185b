import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, ndcg_score

from tests.conftest import catalogue_of, events, split_by_time
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.metrics import random_expectation
from twotower.evaluation.ranking import VectorScorer

KS = (5, 10, 20)


def pairs(*rows: tuple[int, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"], dtype=np.int64)
    return frame.assign(timestamp=0, weight=np.float32(1))


def random_vectors(num_users: int, num_items: int, seed: int = 0) -> VectorScorer:
    rng = np.random.default_rng(seed)
    return VectorScorer(
        rng.normal(size=(num_users, 6)).astype(np.float32),
        rng.normal(size=(num_items, 6)).astype(np.float32),
    )


def test_who_and_what_is_counted() -> None:
    train = pairs((1, 10), (1, 11), (2, 10), (3, 12))
    held_out = pairs(
        (1, 12), (1, 12), (1, 99),  # one warm item, twice, and one that is in no catalogue
        (2, 10),  # nothing new
        (9, 11),  # a user without history
    )  # fmt: skip
    target = evaluation_set(catalogue_of(train), train, held_out, exclude_seen=True)
    assert target.users.tolist() == [0]
    assert target.relevant.items.tolist() == [2]
    assert target.num_relevant.tolist() == [2]
    assert target.masked.items.tolist() == [0, 1]
    assert target.counts() == {
        "num_users": 1,
        "num_users_cold": 1,
        "num_users_nothing_new": 1,
        "num_users_nothing_relevant": 0,
        "num_items": 3,
        "num_relevant": 2,
        "num_relevant_not_in_catalogue": 1,
    }


def test_seen_items_stay_when_repeats_count() -> None:
    train, held_out = pairs((1, 10), (1, 11), (2, 11)), pairs((1, 10), (2, 10))
    target = evaluation_set(catalogue_of(train), train, held_out, exclude_seen=False)
    assert target.users.tolist() == [0, 1]
    assert target.masked.items.size == 0


def test_no_held_out_rows_is_an_empty_set() -> None:
    train = pairs((1, 10), (2, 11))
    target = evaluation_set(catalogue_of(train), train, train[:0], exclude_seen=True)
    assert len(target) == 0
    assert random_expectation(target, KS).summary() == {}
    with pytest.raises(ValueError, match="without a user"):
        evaluate(random_vectors(2, 2), target, KS)


def test_perfect_ranking_scores_one() -> None:
    train, held_out = pairs((1, 10), (2, 11), (1, 12)), pairs((1, 11), (2, 10), (2, 12))
    target = evaluation_set(catalogue_of(train), train, held_out, exclude_seen=True)
    users = np.array([[0, 1, 0], [1, 0, 1]], dtype=np.float32)
    summary = evaluate(VectorScorer(users, np.eye(3, dtype=np.float32)), target, (2,)).summary()
    names = ("recall_at_2", "ndcg_at_2", "map_at_2", "hit_rate_at_2", "mrr", "coverage_at_2")
    assert {name: summary[name] for name in names} == dict.fromkeys(names, 1.0)
    assert summary["precision_at_2"] == (1 / 2 + 2 / 2) / 2


@pytest.fixture
def setting() -> tuple:
    splits = split_by_time(events(seed=3, num_users=60, num_items=60))
    catalogue = catalogue_of(splits["train"])
    target = evaluation_set(catalogue, splits["train"], splits["test"], exclude_seen=True)
    return catalogue, target, random_vectors(len(catalogue.users), len(catalogue.items))


def naive(target, scorer) -> dict[str, list[float]]:
    """Every metric of every user with loops alone."""
    wanted: dict[str, list[float]] = {}
    for row, user in enumerate(target.users):
        scores = scorer.scores(np.array([user]))[0].tolist()
        seen = set(target.masked.items[slice(*target.masked.offsets[row : row + 2])])
        relevant = set(target.relevant.items[slice(*target.relevant.offsets[row : row + 2])])
        order = sorted(set(range(len(scores))) - seen, key=lambda item: (-scores[item], item))
        bits = [target.information[item] for item in order]
        ranks = [rank for rank, item in enumerate(order, 1) if item in relevant]
        total = int(target.num_relevant[row])
        for k in KS:
            gain = sum(1 / math.log2(1 + rank) for rank in ranks if rank <= k)
            ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(total, k) + 1))
            found = sum(rank <= k for rank in ranks)
            precisions = [n / rank for n, rank in enumerate(ranks, 1) if rank <= k]
            wanted.setdefault(f"recall_at_{k}", []).append(found / total)
            wanted.setdefault(f"precision_at_{k}", []).append(found / k)
            wanted.setdefault(f"map_at_{k}", []).append(sum(precisions) / min(total, k))
            wanted.setdefault(f"novelty_at_{k}", []).append(sum(bits[:k]) / len(bits[:k]))
            wanted.setdefault(f"ndcg_at_{k}", []).append(gain / ideal)
            wanted.setdefault(f"hit_rate_at_{k}", []).append(float(found > 0))
        wanted.setdefault("mrr", []).append(1 / ranks[0] if ranks else 0.0)
    return wanted


def test_agrees_with_a_naive_loop(setting: tuple) -> None:
    _, target, scorer = setting
    got = evaluate(scorer, target, KS).per_user
    want = naive(target, scorer)
    assert got.keys() == want.keys()
    for name, values in want.items():
        assert got[name] == pytest.approx(values), name


def test_agrees_with_ranx(setting: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # to compile it takes half a minute
    import ranx

    _, target, scorer = setting
    qrels, run = {}, {}
    outside = 0
    for row, user in enumerate(target.users):
        relevant = target.relevant.items[slice(*target.relevant.offsets[row : row + 2])]
        missing = int(target.num_relevant[row]) - len(relevant)
        qrels[f"u{row}"] = {f"i{item}": 1 for item in relevant}
        qrels[f"u{row}"] |= {f"cold{outside + n}": 1 for n in range(missing)}
        outside += missing
        seen = set(target.masked.items[slice(*target.masked.offsets[row : row + 2])])
        scores = scorer.scores(np.array([user]))[0].tolist()
        run[f"u{row}"] = {f"i{i}": s for i, s in enumerate(scores) if i not in seen}
    per_k = ("recall", "precision", "ndcg", "map", "hit_rate")
    names = [f"{name}@{k}" for k in KS for name in per_k] + ["mrr"]
    want = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names)
    got = evaluate(scorer, target, KS).summary()
    for name in names:
        assert got[name.replace("@", "_at_")] == pytest.approx(want[name]), name


def test_agrees_with_scikit_learn(setting: tuple) -> None:
    catalogue, target, scorer = setting
    size = len(catalogue.items)
    got = evaluate(scorer, target, (*KS, size)).per_user
    compared = 0
    for row, user in enumerate(target.users):
        seen = target.masked.rows(row, row + 1)[1]
        truth = np.zeros(size)
        truth[target.relevant.rows(row, row + 1)[1]] = 1
        if truth.sum() < target.num_relevant[row]:
            continue  # scikit-learn knows no relevant item outside the ranking
        candidates = np.delete(np.arange(size), seen)
        scores = scorer.scores(np.array([user]))[0].numpy()[candidates]
        truth = truth[candidates]
        for k in KS:
            ndcg = ndcg_score([truth], [scores], k=k)
            assert got[f"ndcg_at_{k}"][row] == pytest.approx(ndcg)
        assert got[f"map_at_{size}"][row] == pytest.approx(average_precision_score(truth, scores))
        compared += 1
    assert compared > 10


def test_relabelling_ids_changes_nothing(setting: tuple) -> None:
    catalogue, target, scorer = setting
    splits = split_by_time(events(seed=3, num_users=60, num_items=60))
    renamed = {
        name: frame.assign(user_id=frame["user_id"] * 7 + 3, item_id=frame["item_id"] * 5 + 1)
        for name, frame in splits.items()
    }
    again = evaluation_set(
        catalogue_of(renamed["train"]), renamed["train"], renamed["test"], exclude_seen=True
    )
    assert evaluate(scorer, again, KS).summary() == evaluate(scorer, target, KS).summary()
    assert len(catalogue.items) == again.num_items


def test_in_range_and_recall_grows_with_k(setting: tuple) -> None:
    catalogue, target, scorer = setting
    summary = evaluate(scorer, target, KS).summary()
    assert all(0 <= value <= 1 for name, value in summary.items() if "novelty" not in name)
    assert 0 <= summary["novelty_at_5"] <= np.log2(len(catalogue.users))
    recalls = [summary[f"recall_at_{k}"] for k in KS]
    assert recalls == sorted(recalls)


class Noise:
    """Independent random scores."""

    def __init__(self, seed: int, num_items: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._num_items = num_items

    def scores(self, user_idx: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._rng.random((len(user_idx), self._num_items)))


def test_random_scores_come_close_to_the_random_expectation(setting: tuple) -> None:
    _, target, _ = setting
    runs = [evaluate(Noise(seed, target.num_items), target, KS).summary() for seed in range(200)]
    for name, expected in random_expectation(target, KS).summary().items():
        values = [run[name] for run in runs]
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 4 * error + 1e-6, name


def test_the_rankings_are_kept_beside_what_they_hit(setting: tuple) -> None:
    _, target, scorer = setting
    found = evaluate(scorer, target, KS)
    top, hits = found.rankings.top, found.rankings.hits
    assert top.shape == hits.shape == (len(target), KS[-1])
    for row in range(len(target)):
        relevant = set(target.relevant.rows(row, row + 1)[1].tolist())
        assert [item in relevant for item in top[row].tolist()] == hits[row].tolist()
    recall = hits.sum(axis=1) / target.num_relevant
    assert np.array_equal(recall, found.per_user[f"recall_at_{KS[-1]}"])


def test_the_random_expectation_has_the_keys_of_what_is_measured(setting: tuple) -> None:
    _, target, scorer = setting
    random, measured = random_expectation(target, KS), evaluate(scorer, target, KS)
    assert {len(values) for values in random.per_user.values()} == {len(target)}
    assert list(random.per_user) == list(measured.per_user)
    assert list(random.overall) == list(measured.overall)
    want = {name: values.mean() for name, values in random.per_user.items()} | random.overall
    assert random.summary() == pytest.approx(want)


def test_random_rankings_cover_what_somebody_cannot_miss() -> None:
    # User 1 is left with one item, 12, and is shown it; user 2 with 10 and 12, of which one.
    train, held_out = pairs((1, 10), (1, 11), (2, 11)), pairs((1, 12), (2, 12))
    catalogue = catalogue_of(pairs((1, 10), (1, 11), (2, 12)))
    target = evaluation_set(catalogue, train, held_out, exclude_seen=True)
    expected = random_expectation(target, (1, 2)).overall
    assert expected["coverage_at_1"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert expected["coverage_at_2"] == pytest.approx(2 / 3)
    # 12 is shown twice, 10 once and 11 never; over all pairs, 1 + 2 + 1 of 3 · 3.
    assert expected["gini_at_2"] == pytest.approx(4 / 9)


def test_what_few_users_have_is_surprising() -> None:
    train = pairs((1, 10), (2, 10), (3, 10), (4, 10), (1, 11), (2, 11), (3, 12), (3, 12))
    target = evaluation_set(catalogue_of(train), train, pairs((1, 12)), exclude_seen=True)
    assert target.information.tolist() == [0.0, 1.0, 2.0]
    unseen = evaluation_set(catalogue_of(train), train[:4], pairs((1, 12)), exclude_seen=True)
    assert unseen.information.tolist() == [0.0, 2.0, 2.0]


def test_rows_that_do_not_count_are_neither_found_nor_masked() -> None:
    train = pairs((1, 10), (2, 11), (3, 12), (4, 10))
    held_out = pairs((1, 11), (1, 12), (2, 10), (3, 12), (4, 12), (4, 12), (9, 10), (8, 10))
    marked = held_out.assign(relevant=[True, False, False, True, False, True, True, False])
    catalogue = catalogue_of(train)
    target = evaluation_set(catalogue, train, marked, exclude_seen=True)
    assert target.users.tolist() == [0, 3]  # of user 4, one of two rows of the item counts
    assert target.relevant.items.tolist() == [1, 2]
    assert target.masked.items.tolist() == [0, 0]
    counts = target.counts()
    assert counts["num_users_nothing_relevant"] == 2  # 2, and 8, who has no history either
    assert (counts["num_users_nothing_new"], counts["num_users_cold"]) == (1, 1)
    as_if_alone = evaluation_set(catalogue, train, held_out[marked["relevant"]], exclude_seen=True)
    scorer = random_vectors(len(catalogue.users), len(catalogue.items))
    got, want = (evaluate(scorer, one, (1, 2)).summary() for one in (target, as_if_alone))
    assert got == want
