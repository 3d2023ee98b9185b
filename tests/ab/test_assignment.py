"""`assign`: stable, uniform, monotone in the share, independent between experiments."""

import hashlib
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from twotower.ab import assign
from twotower.common.errors import ConfigError

USERS = range(5_000)


def treated(name: str, share: float) -> np.ndarray:
    return np.array([assign(user, name, share) for user in USERS])


@pytest.mark.parametrize(("user", "as_json"), [(42, b'["new", 42]'), ("42", b'["new", "42"]')])
def test_a_place_is_the_digest_of_name_and_typed_id(user: int | str, as_json: bytes) -> None:
    place = int.from_bytes(hashlib.sha256(as_json).digest()[:8], "big") / 2**64
    assert not assign(user, "new", place * (1 - 1e-9))
    assert assign(user, "new", place * (1 + 1e-9))


def test_it_is_the_same_in_another_process() -> None:
    code = "from twotower.ab import assign; print([assign(f'u{i}', 'é', 0.3) for i in range(50)])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str([assign(f"u{i}", "é", 0.3) for i in range(50)])


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.93])
def test_as_many_are_treated_as_the_share_says(share: float) -> None:
    # Fewer than one in a million correct digests is five standard deviations away.
    sd = math.sqrt(len(USERS) * share * (1 - share))
    assert abs(treated("new", share).sum() - len(USERS) * share) < 5 * sd


def test_a_growing_share_moves_users_only_into_the_treatment() -> None:
    arms = np.array([treated("new", share) for share in (0, 0.05, 0.2, 0.5, 1)])
    assert not arms[0].any()
    assert arms[-1].all()
    assert (arms[1:] >= arms[:-1]).all()


def test_two_experiments_are_independent() -> None:
    both = treated("a", 0.5) & treated("b", 0.5)
    assert abs(both.sum() - len(USERS) / 4) < 5 * math.sqrt(len(USERS) * 3 / 16)


def test_integers_of_numpy_are_integers() -> None:
    arms = [assign(user, "new", 0.5) for user in range(64)]
    assert [assign(user, "new", 0.5) for user in np.arange(64)] == arms  # type: ignore[arg-type]
    assert [assign(str(user), "new", 0.5) for user in range(64)] != arms


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1, "new", 1.5), r"share of an experiment: must be in \[0, 1\], not 1\.5"),
        ((1, "new", math.nan), "not nan"),
        ((1, "", 0.5), "name of an experiment: must not be empty"),
        ((True, "new", 0.5), "must be an integer or text, not bool"),
        ((None, "new", 0.5), "must be an integer or text, not NoneType"),
        ((1.0, "new", 0.5), "must be an integer or text, not float"),
    ],
)
def test_what_is_not_a_user_a_name_or_a_share_is_refused(arguments: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        assign(*arguments)
