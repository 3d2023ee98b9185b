"""The outputs of a run against the committed ones, on folders that are made up."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.serving.conftest import write_model
from twotower.assessment.per_user import PerUser, write_per_user
from twotower.verification.committed import Committed
from twotower.verification.compare import Verification, agreeing_digits, compare
from twotower.verification.locked import Lock

ITEMS = [[value] for value in (1.0, 0.5, 0.25)]
PLACES = ("hpo_results.json", "metrics/test.json", "metrics/per_user.parquet", ".artifacts_best")
TRACKED = ("metrics/test.json",)
"""Of these, what is in git."""


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def lock_of(folder: Path, cache: Path) -> Lock:
    """As DVC would write it, with the outputs in a cache."""
    outs = []
    for name in PLACES:
        files = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        for path in files or [folder / name]:
            put(cache, path.read_bytes())
        digest = md5((folder / name).read_bytes()) if not files else ""
        if files:
            listing = [
                {
                    "md5": md5(path.read_bytes()),
                    "relpath": path.relative_to(folder / name).as_posix(),
                }
                for path in files
            ]
            digest = put(cache, json.dumps(listing).encode(), ".dir")
        outs.append({"path": name, "md5": digest})
    return Lock({"all": {"outs": outs}})


def put(cache: Path, content: bytes, suffix: str = "") -> str:
    digest = md5(content) + suffix
    place = cache / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return digest


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def results(
    lr: float = 0.1, platform: str = "Linux x86_64 AVX2", **versions: str
) -> dict[str, Any]:
    trials = [{"number": 0, "params": {"lr": 0.5}}, {"number": 1, "params": {"lr": lr}}]
    return {"trials": trials, "provenance": {"platform": platform, "mixed": False, **versions}}


def write_run(folder: Path) -> None:
    write_json(folder / "hpo_results.json", results())
    write_json(folder / "metrics/test.json", {"mrr": 0.5, "verdict": "beaten"})
    users = pd.Series([100, 101], name="user_id")
    write_per_user(folder / "metrics/per_user.parquet", PerUser(users, np.ones(2, np.int64)))
    write_model(folder / ".artifacts_best", [[1.0], [-1.0], [0.5]], ITEMS, [(0, 0)])


Ran = Callable[..., Verification]


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Folder of a run, with the outputs that are also committed."""
    write_run(tmp_path / "new")
    return tmp_path / "new"


@pytest.fixture
def ran(tmp_path: Path, new: Path) -> Ran:
    """Compares the folder, as it is when called, with what it was before."""
    cache = tmp_path / "cache"
    committed = lock_of(new, cache)
    for name in TRACKED:
        place = tmp_path / "committed" / name
        place.parent.mkdir(parents=True)
        shutil.copyfile(new / name, place)

    def compared(*, without_cache: bool = False) -> Verification:
        brought = Committed(tmp_path / "committed", tmp_path / "none" if without_cache else cache)
        return compare(committed, lock_of(new, tmp_path / "another"), new, brought)

    return compared


def test_the_same_bytes_are_said_in_one_line(ran: Ran) -> None:
    found = ran()
    assert found.is_same
    assert list(found.lines()) == [
        "hpo_results.json          same",
        "metrics/test.json         same",
        "metrics/per_user.parquet  same",
        ".artifacts_best           same",
        "",
        "trials with equal hyperparameters: 2 of 2",
        "test users with the same 10 items first, in the same order: 2 of 2",
        "made on Linux x86_64 AVX2, as here",
        "all 4 outputs have the bytes of the committed dvc.lock",
    ]


def test_what_matters_is_equal_although_bytes_differ(new: Path, ran: Ran) -> None:
    write_json(new / "hpo_results.json", results(platform="Linux x86_64 AVX512"))
    write_json(new / "metrics/test.json", {"mrr": 0.50000002, "verdict": "beaten"})
    write_model(new / ".artifacts_best", [[1.0 + 2**-20], [-1.0], [0.5]], ITEMS, [(0, 0)])
    found = ran()
    assert not found.is_same
    lines = list(found.lines())
    assert lines[:5] == [
        "hpo_results.json          differs  other provenance.platform",
        "metrics/test.json         differs  by 4.0e-08 of its value at most (mrr)",
        "metrics/per_user.parquet  same",
        ".artifacts_best           differs  in 2 of 10 files",
        "  model_meta.json         differs  other digest, files.user_vecs.npy",
    ]
    assert lines[5] == "  user_vecs.npy           differs  by 9.5e-07 at most"
    assert lines[-2:] == [
        "made on Linux x86_64 AVX2; here Linux x86_64 AVX512",
        "3 of 4 outputs differ: equal proposals and rankings; metrics agree to 7 digits",
    ]


def test_other_proposals_rankings_and_words_are_counted(new: Path, ran: Ran) -> None:
    write_json(new / "hpo_results.json", results(lr=0.2))
    write_json(new / "metrics/test.json", {"mrr": 0.5, "verdict": "not beaten"})
    write_model(new / ".artifacts_best", [[-1.0], [-1.0], [0.5]], ITEMS, [(0, 0)])
    assert ran().conclusion == (
        "3 of 4 outputs differ: 1 of 2 proposals differ, 1 of 2 rankings differ; "
        "metrics differ in verdict (metrics/test.json)"
    )


def test_what_is_not_in_the_cache_is_compared_by_its_digest(new: Path, ran: Ran) -> None:
    write_json(new / "hpo_results.json", results(lr=0.2))
    write_model(new / ".artifacts_best", [[-1.0], [-1.0], [0.5]], ITEMS, [(0, 0)])
    found = ran(without_cache=True)
    assert next(found.lines()).endswith("by how much is not known: it is not in the cache")
    assert found.made_on == "made on a machine that is not known here; here Linux x86_64 AVX2"
    assert found.conclusion == (
        "2 of 4 outputs differ: proposals not compared, rankings not compared; equal metrics; "
        "run dvc pull to see by how much the others differ"
    )


def test_versions_that_differ_are_said(new: Path, ran: Ran) -> None:
    write_json(new / "hpo_results.json", results(torch="2.13.0"))
    assert ran().made_on == (
        "made on Linux x86_64 AVX2; here Linux x86_64 AVX2; torch None, here 2.13.0"
    )


def test_files_that_only_one_of_them_has_are_named(new: Path, ran: Ran) -> None:
    (new / ".artifacts_best" / "index.usearch").write_bytes(b"x")
    rows = [row for row in ran().rows if row.path == "index.usearch"]
    assert [row.difference.text for row in rows if row.difference] == ["only in one of them"]


@pytest.mark.parametrize(
    ("relative", "digits"), [(0.0, 8), (1e-12, 8), (4e-8, 7), (1e-3, 3), (0.02, 1), (0.5, 0)]
)
def test_digits_are_those_before_the_first_that_may_differ(relative: float, digits: int) -> None:
    assert agreeing_digits(relative) == digits
