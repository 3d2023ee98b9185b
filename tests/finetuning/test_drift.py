import numpy as np
import pytest

from twotower.finetuning.drift import K, Vectors, drift


def vectors(users: int = 6, items: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(n, 4)).astype(np.float32) for n in (users, items))  # type: ignore[return-value]


def test_by_hand() -> None:
    # Item 0 stays, item 1 grows by half, item 2 makes a quarter turn (distance √2), item 3 is new.
    earlier = np.array([[1, 0], [0, 2], [1, 0], [9, 9]], np.float32)
    items = np.array([[1, 0], [0, 3], [0, 1], [5, 5]], np.float32)
    known = np.array([True, True, True, False])
    found = drift(Vectors(np.eye(2, dtype=np.float32), items, earlier, known, removed=7), seed=1)
    assert (found.items, found.added, found.removed) == (3, 1, 7)
    assert found.cosine_median == pytest.approx(1.0)
    assert found.cosine_low == pytest.approx(0.1)  # of 0, 1 and 1: a tenth of the way from 0 to 1
    assert found.moved_median == pytest.approx(0.5)
    assert found.moved_high == pytest.approx(0.5 + 0.9 * (2**0.5 - 0.5))
    assert found.neighbours_at_10 == 1.0  # there are only two others
    assert [one.written for one in found.stale] == [3] * 5  # all but item 0


def test_the_same_vectors_have_not_moved() -> None:
    users, items = vectors()
    found = drift(Vectors(users, items, items, np.ones(40, dtype=bool), 0), seed=1)
    assert found.moved_high == 0
    assert found.neighbours_at_10 == 1
    assert {(one.written, one.same_at_10) for one in found.stale} == {(0, 1.0)}


def test_an_index_of_old_vectors_loses_some_of_the_best() -> None:
    users, items = vectors()
    moved = items + np.random.default_rng(1).normal(size=items.shape).astype(np.float32) * 0.15
    found = drift(Vectors(users, items, moved, np.ones(40, dtype=bool), 0), seed=1)
    last = found.stale[-1]
    kept = np.linalg.norm(items - moved, axis=1) <= 0.2 * np.linalg.norm(moved, axis=1)
    assert last.written == 40 - kept.sum()
    mixed = np.where(kept[:, None], moved, items)
    best = [np.argsort(-(users @ each.T), axis=1, kind="stable")[:, :K] for each in (items, mixed)]
    shared = [len(set(a) & set(b)) / K for a, b in zip(*best, strict=True)]
    assert last.same_at_10 == pytest.approx(np.mean(shared))
    assert last.same_at_10 < 1


def test_without_a_known_item_there_is_nothing_to_compare() -> None:
    users, items = vectors()
    found = drift(Vectors(users, items, items, np.zeros(40, dtype=bool), 3), seed=1)
    assert (found.items, found.cosine_median, found.stale) == (0, None, ())
