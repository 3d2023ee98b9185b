"""What a reader of the results cares for: trials, top lists, and on what both were made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.assessment.per_user import PER_USER, read_per_user
from twotower.serving.recommender import Recommender

K = 10
MAX_USERS = 10_000
"""Users whose top lists are compared, evenly spaced if there are more."""


@dataclass(frozen=True)
class Agreement:
    """How many of something are equal in both.

    Attributes:
        equal: of them.
        total: of them.
    """

    equal: int
    total: int

    def __str__(self) -> str:
        return f"{self.equal:,} of {self.total:,}"

    @property
    def is_full(self) -> bool:
        """Whether all are."""
        return self.equal == self.total


def read_results(path: Path | None) -> dict[str, Any] | None:
    """Content of a file hpo_results.json; None: there is none."""
    if path is None or not path.is_file():
        return None
    return dict(json.loads(path.read_text(encoding="utf-8")))


def proposals(committed: Mapping[str, Any], new: Mapping[str, Any]) -> Agreement:
    """Trials with the same hyperparameters under the same number.

    Args:
        committed: content of hpo_results.json.
        new: likewise.
    """
    a, b = ({t["number"]: t["params"] for t in side["trials"]} for side in (committed, new))
    return Agreement(sum(a.get(number, ...) == b[number] for number in b), max(len(a), len(b)))


def rankings(committed: Path | None, new: Path, project: Path) -> Agreement | None:
    """Test users who are recommended the same K items in the same order; None: a model is missing.

    Args:
        committed: a model folder; None: it is not here.
        new: likewise.
        project: with the test users; without any, all users of the new model.
    """
    if committed is None or not new.is_dir():
        return None
    models = [Recommender.load(path, mmap=False) for path in (committed, new)]
    users = read_per_user(project / PER_USER).users.tolist()
    known = models[1].artifacts.user_ids.all
    users = sorted(set(users) & set(known)) or known
    users = users[:: -(-len(users) // MAX_USERS) or 1]
    a, b = (model.recommend(users, K).item_ids for model in models)
    return Agreement(sum(x == y for x, y in zip(a, b, strict=True)), len(users))


def made_on(committed: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """On what both were made, in a line.

    Args:
        committed: content of hpo_results.json; None: not known here.
        new: likewise.
    """
    here = new["provenance"]
    if committed is None:
        return f"made on a machine that is not known here; here {here['platform']}"
    there = committed["provenance"]
    if there == here:
        return f"made on {there['platform']}, as here"
    parts = [
        f"{name} {_short(there.get(name))}, here {_short(here.get(name))}"
        for name in here
        if name not in ("platform", "mixed") and there.get(name) != here[name]
    ]
    first = f"made on {there['platform']}; here {here['platform']}"
    return "; ".join([first, *parts])


def _short(value: Any) -> str:
    """A version, or the start of a digest."""
    return str(value)[:12]
