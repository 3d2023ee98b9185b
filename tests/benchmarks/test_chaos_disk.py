"""The short form of the attacks on disks and files."""

import random
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("sends POSIX signals", allow_module_level=True)

from benchmarks.chaos.attack import NotPossible
from benchmarks.chaos.damaged_files import damaged_file
from benchmarks.chaos.disk import full_disk, read_only
from benchmarks.chaos.workshop import Workshop

KEYS = {"hpo.n_trials": 2, "hpo.workers": 1, "refit.seeds": 1}


@pytest.mark.slow
@pytest.mark.long
def test_disks_and_files_cost_one_message_and_no_result(tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "shop", KEYS)
    for attack in (damaged_file, full_disk, read_only):
        try:
            outcome = attack(shop, random.Random(1))  # noqa: S311
        except NotPossible:
            continue
        assert outcome.broken is None
