"""How often a test split has been looked at, and what is left of a claim then.

.hpo/looks/<test rows>/<look>.json     a model that was scored on these rows, and by which metric

A look is named after what it saw: the same model on the same rows is one, however often it is
scored, and any number of processes may record theirs at once. It is no output of a stage: what is
counted is what has run in this repository, in workspaces of `dvc exp run --temp` and `--queue` too.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twotower.assessment.per_user import PerUser
from twotower.common.files import json_text, sha256_text, write_json
from twotower.common.headline import BESIDE
from twotower.common.paths import live_folder
from twotower.common.scorers import MODEL


def record_look(root: Path, verdict: Mapping[str, Any], per_user: PerUser) -> int:
    """Count that the model of an assessment was scored on its test rows.

    Args:
        root: the repository.
        verdict: content of verdict.json.
        per_user: content of per_user.parquet.

    Returns:
        The number of looks at these rows, this one included; 0 if nothing was scored.

    Raises:
        OSError: if the look cannot be recorded.
    """
    if not verdict["scored"]:
        return 0
    objective = verdict["objective"]
    file = _file(root, objective, per_user)
    if not file.exists():
        value = float(per_user.metrics[MODEL][objective].mean())
        write_json(file, {**per_user.digests, "objective": objective, "value": value})
    return num_looks(root, verdict, per_user)


def num_looks(root: Path, verdict: Mapping[str, Any], per_user: PerUser) -> int:
    """Looks at the test rows of an assessment; its own counts, though it was recorded elsewhere.

    Args:
        root: the repository.
        verdict: content of verdict.json.
        per_user: content of per_user.parquet.
    """
    if not verdict["scored"]:
        return 0
    file = _file(root, verdict["objective"], per_user)
    return len({file, *file.parent.glob("*.json")})


def looks_text(looks: int, verdict: Mapping[str, Any]) -> str:
    """What several looks do to the claims of a verdict; empty if there is one at most.

    That one of so many claims at level alpha is wrong has the sum of their probabilities at most
    (Bonferroni), whichever was picked.

    Args:
        looks: see `record_look`.
        verdict: content of verdict.json.
    """
    if looks < 2:
        return ""
    alpha = verdict["alpha"]
    level, share = alpha / looks, min(1.0, alpha * looks)
    text = (
        f"this test split has been looked at {looks:,} times: with the best of {looks:,} picked "
        f"by test score, a claim at {100 * alpha:g} % is wrong in up to {100 * share:g} % of cases"
    )
    comparisons: Mapping[str, Any] = verdict["comparisons"]
    claims = {name: _p_value(one) for name, one in comparisons.items() if one["beaten"]}
    if not claims:
        return text
    needed = f"{alpha:g} / {looks:,} = {level:.2g}"
    if lost := [f"{name} (p {p:.2g})" for name, p in claims.items() if p > level]:
        return f"{text}; beating {', '.join(lost)} would not hold then, it takes p {needed}"
    kept = "the claim holds" if len(claims) == len(comparisons) else "what is beaten stays beaten"
    largest = f"p {max(claims.values()):.2g}"
    return f"{text}; {kept} for each of the {looks:,} looks ({largest} is at most {needed})"


def _p_value(comparison: Mapping[str, Any]) -> float:
    """Of the model, or of its mean over training seeds: both have to be small enough."""
    tested = (comparison, comparison.get("over_seeds"))
    return max(float(one["p_value"]) for one in tested if one)


def _file(root: Path, objective: str, per_user: PerUser) -> Path:
    """Named after the rows, and after the model by what every user got from it.

    Further metrics and cut-offs are no other look, another objective or other masks are.
    """
    metrics = per_user.metrics[MODEL]
    # To 8 decimals: enough to tell models apart, and no sum in another order makes another model.
    got = np.round([metrics[objective], metrics[BESIDE]], 8).astype("<f8")
    ranked = hashlib.sha256(got.tobytes()).hexdigest()
    look = {"masks": per_user.digests["masks"], "objective": objective, "ranked": ranked}
    name = sha256_text(json_text(look))[:16]
    return live_folder(root) / "looks" / per_user.digests["test_rows"] / f"{name}.json"
