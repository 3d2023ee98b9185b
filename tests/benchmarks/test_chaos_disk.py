"""The short form of the attacks on disks and files."""

import random
import sys
from collections.abc import Callable

import pytest

if sys.platform == "win32":
    pytest.skip("sends POSIX signals", allow_module_level=True)

from benchmarks.chaos.attack import NotPossible, Outcome
from benchmarks.chaos.damaged_files import damaged_file
from benchmarks.chaos.disk import full_disk, read_only
from benchmarks.chaos.workshop import Workshop


@pytest.mark.slow
@pytest.mark.parametrize(("attack", "seed"), [(damaged_file, 7), (full_disk, 12), (read_only, 0)])
def test_disks_and_files_cost_one_message_and_no_result(
    workshop: Workshop, attack: Callable[[Workshop, random.Random], Outcome], seed: int
) -> None:
    """The seeds are those of stages that run for seconds."""
    try:
        outcome = attack(workshop, random.Random(seed))  # noqa: S311
    except NotPossible as reason:
        pytest.skip(str(reason))
    assert outcome.broken is None
