"""A digest of each trial in a database, by which one that was changed since is told.

Edits, damage and half-restored copies are found so; who can compute the digest can forge a trial.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any

from optuna.trial import FrozenTrial

from twotower.common.files import sha256_text
from twotower.search.trial import Distributions, Trial

DIGEST = "digest"
"""User attribute of a trial."""
TIMES = {"started", "finished"}
"""Not in the digest: a snapshot has none, and no result depends on them."""
DEFAULTS: dict[str, Any] = {
    field.name: field.default if field.default_factory is MISSING else field.default_factory()
    for field in fields(Trial)
    if field.name not in TIMES
}
SHOWN = 5
"""Numbers of trials in a message."""
EXACT = 2**53
"""Databases keep whole numbers up to this one as floats."""

UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading values raises that no search has stored."""


class ChangedTrialError(Exception):
    """A stored trial is not the one that its digest is of."""


def digest_of(trial: Trial) -> str:
    """SHA-256 of all that results depend on, the same before and after a database.

    Fields with their defaults are left out, so that one that is added later changes no digest.
    """
    values = {name: getattr(trial, name) for name in DEFAULTS}
    changed = {name: value for name, value in values.items() if value != DEFAULTS[name]}
    return sha256_text(json.dumps(_plain(changed), sort_keys=True))


def sealed(trial: Trial, distributions: Distributions) -> FrozenTrial:
    """The trial as Optuna stores it, with its digest."""
    frozen = trial.to_optuna(distributions)
    frozen.set_user_attr(DIGEST, digest_of(trial))
    return frozen


def unsealed(frozen: FrozenTrial, *, is_sealed: bool = True) -> Trial:
    """The finished trial that was stored.

    Args:
        frozen: as Optuna reads it.
        is_sealed: whether the study has digests; versions before them stored none.

    Raises:
        TypeError: if another program has written the trial.
        ChangedTrialError: if it was changed since.
    """
    attributes = frozen.user_attrs
    if DIGEST not in attributes and "provenance" not in attributes:
        msg = f"trial {frozen.number} is none of this program"
        raise TypeError(msg)
    try:
        trial = Trial.from_optuna(frozen)
        digest = digest_of(trial) if is_sealed else None
        is_ours = frozen.state.is_finished() and attributes.get(DIGEST) == digest
    except UNREADABLE:
        is_ours = False
    if not is_ours:
        raise ChangedTrialError
    return trial


def not_used(numbers: Collection[int], where: object) -> str:
    """One line on trials that were changed since they were stored."""
    if not numbers:
        return f"{where}: trials were changed since they were stored; all others are kept"
    listed = ", ".join(str(number) for number in sorted(numbers)[:SHOWN])
    more = f" and {len(numbers) - SHOWN:,} more" if len(numbers) > SHOWN else ""
    if len(numbers) == 1:
        problem = f"trial {listed} of {where} was changed since it was stored; it is not used, and"
        return f"{problem} runs again unless there is another copy"
    problem = f"trials {listed}{more} of {where} were changed since they were stored; they are not"
    return f"{problem} used, and run again unless there are other copies"


def _plain(value: Any) -> Any:
    """The value with equal numbers written alike, as a database may return 1 as 1.0."""
    if isinstance(value, int | float):
        return float(value) + 0.0 if abs(value) <= EXACT else value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
