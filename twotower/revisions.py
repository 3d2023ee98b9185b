"""Compares the models of two revisions on the same test users.

Differences are of the second revision to the first: above 0 the second is better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twotower.assessment.clusters import in_clusters, num_clusters
from twotower.assessment.per_user import PER_USER, read_per_user
from twotower.assessment.statistics.bounded_means import DIFFERENCE, weighted_means
from twotower.assessment.statistics.multiple import holm
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.errors import DataError
from twotower.common.git import git
from twotower.common.scorers import MODEL
from twotower.common.seeds import derive_seed
from twotower.evaluation.metrics import is_compared

SAME = {"test_rows": "test rows", "masks": "users, items or masked items"}
"""The digests that must agree, and what they are of."""
WORKSPACE = "workspace"
LEVEL = 0.95


@dataclass(frozen=True)
class UserMetrics:
    """One scorer's metrics of each test user, in one revision.

    Attributes:
        revision: as named on the command line.
        digests: of test rows and masks.
        users: [n] ids, in the order of the file.
        metrics: by name, [n] values.
        clusters: [n] the cluster of each user; None: each is alone.
    """

    revision: str
    digests: Mapping[str, str]
    users: "pd.Series[Any]"
    metrics: Mapping[str, Float64Array]
    clusters: Int64Array | None = None


@dataclass(frozen=True)
class MetricComparison:
    """One metric under both models.

    Attributes:
        a: mean over the users, first revision.
        b: likewise, second revision.
        difference: b - a.
        low: lower end of the confidence interval of the difference, at LEVEL.
        high: upper end.
        p: two-sided p-value; at most 1 - LEVEL exactly if the interval excludes 0.
        p_holm: the same, adjusted over all metrics (Holm).
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float


def read_user_metrics(
    revision: str,
    *,
    scorer: str = MODEL,
    path: str = PER_USER.as_posix(),
    repository: str = ".",
) -> UserMetrics:
    """Read the per-user file of a revision with DVC: from the workspace, the cache or a remote.

    Args:
        revision: a Git revision, the name of an experiment, or `workspace`.
        scorer: the scorer whose metrics are read.
        path: of the file, from the root of the repository.
        repository: any folder of the repository.

    Raises:
        DataError: if the revision, its file or the scorer does not exist, or the file is damaged.
    """
    content = read_per_user(_open(revision, path, repository), f"{revision}: {path}")
    metrics = content.metrics.get(scorer)
    if not metrics or not content.digests:
        scorers = ", ".join(content.metrics) or "none (no test split, or it was not scored)"
        msg = f"{revision}: {path}: no test metrics of {scorer}; available: {scorers}"
        raise DataError(msg)
    return UserMetrics(revision, content.digests, content.users, metrics, content.clusters)


def compare(
    a: UserMetrics, b: UserMetrics, *, seed: int = 42, resamples: int = 10_000
) -> dict[str, MetricComparison]:
    """Compare two models, user by user, on every metric of quality that both have.

    Args:
        a: metrics in the first revision.
        b: metrics in the second revision; differences are b - a.
        seed: of the resamples.
        resamples: number of them, shared by all tests and intervals.

    Returns:
        By metric, in alphabetical order.

    Raises:
        DataError: if the two were not evaluated on the same test rows with the same masks.
    """
    _refuse_unless_comparable(a, b)
    names = sorted(filter(is_compared, a.metrics.keys() & b.metrics.keys()))
    if not names:
        msg = f"{a.revision} and {b.revision} have no metric in common"
        raise DataError(msg)
    first, second = (np.stack([side.metrics[n] for n in names], axis=1) for side in (a, b))
    differences = second - first
    means = weighted_means(
        differences,
        seed=derive_seed(seed, "compare"),
        resamples=resamples,
        limits=DIFFERENCE,
        clusters=_clusters(a, b),
    )
    (low, high), p_values = means.bounds(LEVEL), means.p_values("two-sided")
    adjusted = holm(dict(zip(names, p_values.tolist(), strict=True)))
    return {
        name: MetricComparison(
            a=float(first[:, i].mean()),
            b=float(second[:, i].mean()),
            difference=float(differences[:, i].mean()),
            low=float(low[i]),
            high=float(high[i]),
            p=float(p_values[i]),
            p_holm=adjusted[name],
        )
        for i, name in enumerate(names)
    }


def clusters_of_both(a: UserMetrics, b: UserMetrics) -> int | None:
    """Number of clusters that the users are compared in; None: each user is alone."""
    clusters = _clusters(a, b)
    return None if clusters is None else num_clusters(clusters)


def _clusters(a: UserMetrics, b: UserMetrics) -> Int64Array | None:
    """[n] as B has them, or A where B has none: the users are the same."""
    return a.clusters if b.clusters is None else b.clusters


def table_text(a: UserMetrics, b: UserMetrics, comparisons: dict[str, MetricComparison]) -> str:
    """The comparison for a terminal."""
    width = max(len("metric"), *map(len, comparisons))
    lines = [
        f"A: {a.revision}, B: {b.revision}; {len(a.users):,} test users"
        f"{in_clusters(clusters_of_both(a, b))}",
        f"{'metric':<{width}}  {'A':>7}  {'B':>7}  {'B - A':>8}  "
        f"{f'{LEVEL:.0%} interval':>19}  {'p':>6}  {'p (Holm)':>8}",
    ]
    for name, one in comparisons.items():
        interval = f"{one.low:+.4f} … {one.high:+.4f}"
        mark = " *" if one.p_holm <= 1 - LEVEL else ""
        lines.append(
            f"{name:<{width}}  {one.a:>7.4f}  {one.b:>7.4f}  {one.difference:>+8.4f}  "
            f"{interval:>19}  {one.p:>6.4f}  {one.p_holm:>8.4f}{mark}"
        )
    lines.append(_conclusion(a, b, comparisons))
    return "\n".join(lines)


def _conclusion(a: UserMetrics, b: UserMetrics, comparisons: dict[str, MetricComparison]) -> str:
    """Which revision is better in which metrics, in one line."""
    significant = {name: c for name, c in comparisons.items() if c.p_holm <= 1 - LEVEL}
    if not significant:
        return f"no significant difference at p ≤ {1 - LEVEL:.2f}"
    parts = []
    for winner, sign in ((a, -1), (b, 1)):
        names = [name for name, c in significant.items() if c.difference * sign > 0]
        if names:
            parts.append(f"{winner.revision} is better in {', '.join(names)}")
    return f"* significant at p ≤ {1 - LEVEL:.2f} after Holm's correction: " + "; ".join(parts)


def _open(revision: str, path: str, repository: str) -> BytesIO:
    """The file as it is in that revision."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import SCMError

    if not revision:  # DVC would read the workspace
        msg = f"a revision must not be empty; use {WORKSPACE} for the files as they are here"
        raise DataError(msg)
    try:
        # An absolute path starts at the root: of DVC's in the workspace, of git's in a revision.
        if revision == WORKSPACE:
            files, place = DVCFileSystem(repository), ""
        else:
            files = DVCFileSystem(repository, rev=revision, subrepos=True)
            place = git(Path(Repo.find_root(repository)), "rev-parse", "--show-prefix") or ""
        with files.open(f"/{place}{path}", "rb") as handle:
            return BytesIO(handle.read())
    except SCMError as error:
        msg = f"{revision}: no such Git revision or experiment: {error}"
        raise DataError(msg) from None
    except FileNotFoundError:
        msg = (
            f"{revision}: {path} is missing, or neither in the cache nor in a remote: check that "
            "revision out and run dvc pull, or dvc repro refit"
        )
        raise DataError(msg) from None
    except DvcException as error:
        msg = f"{revision}: {path}: {error}"
        raise DataError(msg) from None


def _refuse_unless_comparable(a: UserMetrics, b: UserMetrics) -> None:
    differing = [what for name, what in SAME.items() if a.digests.get(name) != b.digests.get(name)]
    if not differing and not a.users.equals(b.users):
        differing = ["users"]
    if differing:
        msg = (
            f"{a.revision} and {b.revision} cannot be compared: their {' and '.join(differing)} "
            "differ, so a difference of their metrics would not be due to the models"
        )
        raise DataError(msg)
