from dataclasses import replace
from typing import Any

import pytest

from tests.search.store.test_database import SPACE, finished, varied
from twotower.common.files import sha256_text
from twotower.search.store.digests import DIGEST, ChangedTrialError, digest_of, sealed, unsealed
from twotower.search.trial import Trial


def test_a_digest_by_hand() -> None:
    # Fields with their defaults, such as no metrics, and times are not in it; 4 is written as 4.0.
    text = '{"number": 4.0, "params": {"dim": 8.0}, "state": "FAIL"}'
    assert digest_of(Trial(4, "FAIL", {"dim": 8}, started=5, finished=6)) == sha256_text(text)


@pytest.mark.parametrize("trial", varied())
def test_what_was_stored_is_read(trial: Trial) -> None:
    assert unsealed(sealed(trial, SPACE)) == trial
    assert sealed(trial, SPACE).user_attrs[DIGEST] == digest_of(trial.without_times())


OTHER: dict[str, Any] = {
    "number": 3, "state": "PRUNED", "params": {"dim": 16}, "provenance": "q", "value": 0.6,
    "metrics": {"recall_at_10": 0.6}, "losses": [2.0], "best_epoch": 2, "intermediate": {1: 0.5},
    "system_attrs": {"a": 1}, "failure": "no", "seed": 1, "share": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_all_that_results_depend_on_is_in_it(name: str) -> None:
    assert digest_of(replace(finished(0), **{name: OTHER[name]})) != digest_of(finished(0))


def test_equal_numbers_are_the_same() -> None:
    one, other = finished(0), replace(finished(0), params={"dim": 8.0, "logq": 1, "x": 2**60})
    one = replace(one, params={"dim": 8, "logq": True, "x": 2**60})
    assert digest_of(one) == digest_of(other)


def test_a_trial_of_another_program_is_told_from_a_changed_one() -> None:
    frozen = sealed(finished(0), SPACE)
    frozen.values = [0.99]
    with pytest.raises(ChangedTrialError):
        unsealed(frozen)
    frozen.user_attrs.clear()
    with pytest.raises(TypeError, match="trial 0 is none of this program"):
        unsealed(frozen)


def test_studies_from_before_digests_are_read() -> None:
    frozen = finished(0).to_optuna(SPACE)
    assert unsealed(frozen, is_sealed=False) == finished(0)
    with pytest.raises(ChangedTrialError):
        unsealed(frozen)
