"""Two revisions of a tiny repository under Git and DVC."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from scipy import stats

from tests.cli.command import error_of, twotower
from twotower.assessment.per_user import PER_USER, PerUser, write_per_user
from twotower.common.errors import DataError
from twotower.revisions import UserMetrics, compare, read_user_metrics, table_text

DIGESTS = {"test_rows": "1", "masks": "2"}
USERS = pd.Series([f"u{n:03d}" for n in range(300)])


def scores(seed: int, rate: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(300) < rate, 1 / rng.integers(1, 9, 300), 0.0)


def write(path: Path, recall: np.ndarray, **digests: str) -> None:
    """A file as the refit stage writes it."""
    metrics = {
        "optimized": {"recall_at_10": recall, "mrr": recall / 2},
        "popularity": {"recall_at_10": scores(9, 0.1)},
    }
    write_per_user(path, PerUser(USERS, np.ones(len(USERS), np.int64), metrics, DIGESTS | digests))


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / PER_USER
        root.mkdir()
        self.git("init", "-q")
        with self.settings():
            Repo.init(str(root)).close()

    @contextmanager
    def settings(self) -> Iterator[None]:
        """Nobody's settings, in the repository."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith("DVC")}
        settings = self.root.parent / "settings"
        who = {"NAME": "A User", "EMAIL": "user@example.org"}
        environment = outer | {
            "DVC_SITE_CACHE_DIR": str(settings / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(settings / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(settings / "system"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()},
        }
        with mock.patch.dict(os.environ, environment, clear=True), chdir(self.root):
            yield

    def git(self, *arguments: str) -> None:
        with self.settings():
            done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def track(self) -> None:
        with self.settings(), Repo() as dvc:
            dvc.add(PER_USER.as_posix())
        self.git("add", "-A")

    def read(self, revision: str, **options: str) -> UserMetrics:
        return read_user_metrics(revision, repository=str(self.root), **options)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Tag `weak`, tag `other-split`, experiment `try-more`, and a strong model in the workspace."""
    repository = Repository(tmp_path_factory.mktemp("compare") / "repository")
    write(repository.file, scores(0, 0.2), test_rows="another")
    repository.track()
    repository.git("commit", "-qm", "Another split")
    repository.git("tag", "other-split")
    write(repository.file, scores(1, 0.2))
    repository.track()
    repository.git("commit", "-qm", "Weak")
    repository.git("tag", "weak")
    write(repository.file, scores(2, 0.3))
    repository.track()
    with repository.settings(), Repo() as dvc:
        dvc.experiments.save(name="try-more")
    write(repository.file, scores(3, 0.8))
    return repository


@pytest.mark.parametrize(
    ("revision", "recall"),
    [("weak", scores(1, 0.2)), ("try-more", scores(2, 0.3)), ("workspace", scores(3, 0.8))],
)
def test_a_tag_an_experiment_and_the_workspace(
    repository: Repository, revision: str, recall: np.ndarray
) -> None:
    found = repository.read(revision)
    assert found.digests == DIGESTS
    assert found.users.equals(USERS)
    assert set(found.metrics) == {"recall_at_10", "mrr"}
    assert found.metrics["recall_at_10"].tolist() == recall.tolist()


@pytest.mark.parametrize("revision", ["weak", "workspace"])
def test_from_a_folder_below_the_root(repository: Repository, revision: str) -> None:
    below = read_user_metrics(revision, repository=str(repository.file.parent))
    assert below.metrics["mrr"].tolist() == repository.read(revision).metrics["mrr"].tolist()


def test_another_scorer(repository: Repository) -> None:
    assert set(repository.read("weak", scorer="popularity").metrics) == {"recall_at_10"}
    with pytest.raises(DataError, match="of ease; available: optimized, popularity"):
        repository.read("weak", scorer="ease")


def test_end_to_end(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.root)
    command = ("compare", "weak", "workspace")
    table = twotower(*command).stdout
    assert "A: weak, B: workspace; 300 test users" in table
    assert "workspace is better in mrr, recall_at_10" in table
    content = json.loads(twotower(*command, "--json").stdout)
    found = content["metrics"]["recall_at_10"]
    difference = scores(3, 0.8).mean() - scores(1, 0.2).mean()
    assert found["difference"] == pytest.approx(difference)
    assert 0 < found["low"] < difference < found["high"]
    assert found["p"] == pytest.approx(2 / 10_001)
    assert found["p_holm"] == pytest.approx(4 / 10_001)
    assert content["num_users"] == 300


def test_other_test_rows_are_refused_in_one_line(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root)
    error = error_of("compare", "other-split", "workspace")
    assert error.startswith("other-split and workspace cannot be compared")
    assert "their test rows differ" in error


@pytest.mark.parametrize(
    ("revision", "path", "message"),
    [
        ("nowhere", PER_USER.as_posix(), "nowhere: no such Git revision or experiment"),
        ("", PER_USER.as_posix(), "a revision must not be empty"),
        ("weak", "metrics/absent.parquet", "metrics/absent.parquet is missing, or neither"),
        ("weak", "metrics/per_user.parquet.dvc", "damaged, or not an output of the refit stage"),
    ],
)
def test_what_cannot_be_read_is_named(
    repository: Repository, revision: str, path: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        repository.read(revision, path=path)


def test_a_revision_without_test_scores(repository: Repository) -> None:
    empty = PerUser(USERS[:0], np.empty(0, np.int64))
    write_per_user(repository.root / "unscored.parquet", empty)
    with pytest.raises(DataError, match=r"available: none \(no test split, or it was not scored"):
        repository.read("workspace", path="unscored.parquet")


def test_a_file_that_is_in_no_cache(repository: Repository, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    repository.git("clone", "-q", ".", str(clone))
    with pytest.raises(DataError, match="neither in the cache nor in a remote"):
        read_user_metrics("weak", repository=str(clone))


def measured(name: str, recall: np.ndarray, **changes: Any) -> UserMetrics:
    values: dict[str, Any] = {
        "revision": name,
        "digests": DIGESTS,
        "users": USERS,
        "metrics": {"recall_at_10": recall},
    }
    return UserMetrics(**(values | changes))


def test_wider_than_the_t_test_by_one_user_and_changes_sides() -> None:
    a, b = scores(1, 0.2), scores(2, 0.3)
    forth = compare(measured("a", a), measured("b", b))["recall_at_10"]
    back = compare(measured("b", b), measured("a", a))["recall_at_10"]
    assert forth.difference == -back.difference == pytest.approx(b.mean() - a.mean())
    assert (back.low, back.high) == (-forth.high, -forth.low)
    assert forth.p == back.p == forth.p_holm
    theirs = stats.ttest_rel(b, a)
    low, high = theirs.confidence_interval(0.95)
    assert low - 2 / 300 < forth.low < low < high < forth.high < high + 2 / 300
    assert theirs.pvalue < forth.p < 2 * theirs.pvalue


def test_interval_and_p_value_agree() -> None:
    rng = np.random.default_rng(0)
    significant = []
    for n in (1, 5, 20, 80, 300):
        a, b = rng.random((2, n)) / 2
        sides = [
            UserMetrics(name, DIGESTS, USERS[:n], {"mrr": values, "recall_at_10": values**2})
            for name, values in (("a", a), ("b", a + 0.02 + b / 20))
        ]
        for one in compare(*sides, resamples=999).values():
            significant.append(one.p <= 0.05)
            assert significant[-1] == (one.low > 0 or one.high < 0)
    assert set(significant) == {True, False}


def test_clusters_of_either_revision_are_drawn_whole() -> None:
    a, b = scores(1, 0.2), scores(2, 0.3)
    trios = np.repeat(np.arange(100), 3)
    alone = compare(measured("a", a), measured("b", b))["recall_at_10"]
    sides = [
        (measured("a", a, clusters=one), measured("b", b, clusters=other))
        for one, other in ((trios, trios), (None, trios), (trios, None), (np.arange(300), trios))
    ]
    found = [compare(*pair)["recall_at_10"] for pair in sides]
    assert found == [found[0]] * len(found)
    assert found[0].difference == alone.difference
    assert found[0].high - found[0].low > alone.high - alone.low
    assert table_text(*sides[0], {"recall_at_10": found[0]}).startswith(
        "A: a, B: b; 300 test users in 100 clusters\n"
    )


def test_small_gains_of_few_users_do_not_rule_out_a_rare_large_loss() -> None:
    """Not even if all of them gain, where sign flips give the smallest p-value."""
    a, b = np.full(30, 0.2), np.full(30, 0.25)
    found = compare(measured("a", a, users=USERS[:30]), measured("b", b, users=USERS[:30]))
    one = found["recall_at_10"]
    assert one.p > 0.2
    assert one.low < 0 < one.difference


def test_equal_models_do_not_differ() -> None:
    """The interval is as wide as it is for users of whom none has shown a difference yet."""
    found = compare(measured("a", scores(1, 0.2)), measured("b", scores(1, 0.2)))["recall_at_10"]
    unseen = 1 - 0.025 ** (1 / 300)
    assert (found.difference, found.p, found.p_holm) == (0.0, 1.0, 1.0)
    assert (found.low, found.high) == pytest.approx((-unseen, unseen), rel=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"digests": {"test_rows": "1", "masks": "x"}},
            "their users, items or masked items differ",
        ),
        ({"digests": {"test_rows": "x", "masks": "x"}}, "their test rows and users, items or"),
        ({"users": USERS[::-1]}, "their users differ"),
        ({"metrics": {"mrr": scores(0, 0.2)}}, "no metric in common"),
    ],
)
def test_what_is_not_comparable_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        compare(measured("a", scores(1, 0.2)), measured("b", scores(2, 0.2), **changes))
