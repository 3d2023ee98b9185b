import numpy as np
import pytest

from twotower.common.arrays import Int8Array
from twotower.common.errors import DataError
from twotower.common.seeds import derive_seed
from twotower.data.held_out_users import held_out_users

SEEDS = np.array([derive_seed(1, "split", user) for user in range(2_000)], dtype=np.uint64)


def roles(count: int, validation: float, test: float) -> Int8Array:
    return held_out_users(SEEDS[:count], np.ones(count, dtype=bool), validation, test)


def test_each_share_is_of_the_users() -> None:
    assert np.bincount(roles(2_000, 0.2, 0.1)) / 2_000 == pytest.approx([0.7, 0.2, 0.1], abs=0.02)
    assert set(roles(2_000, 0, 0.1).tolist()) == {0, 2}
    assert set(roles(2_000, 0.2, 0).tolist()) == {0, 1}


def test_further_users_move_nobody() -> None:
    assert roles(2_000, 0.2, 0.1)[:500].tolist() == roles(500, 0.2, 0.1).tolist()


def test_test_users_stay_whatever_the_share_of_validation_is() -> None:
    few, many = (roles(500, share, 0.1) == 2 for share in (0.1, 0.5))
    assert few.tolist() == many.tolist()


def test_of_few_users_at_least_one_is_held_out() -> None:
    seeds = np.array([2**31, 2**32 - 1, 2**32 - 3, 2**32 - 2], dtype=np.uint64)
    eligible = np.array([False, True, True, True])
    assert held_out_users(seeds, eligible, 0.01, 0.01).tolist() == [0, 0, 2, 1]


@pytest.mark.parametrize("eligible", [[True, True], [True, False, False]])
def test_too_few_users_are_an_error(eligible: list[bool]) -> None:
    known = np.array(eligible)
    with pytest.raises(DataError, match=rf"hold out 2 of {len(known)} users.*lower split\.valid"):
        held_out_users(SEEDS[: len(known)], known, 0.2, 0.1)
