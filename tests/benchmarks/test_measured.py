import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measured import cost, missing


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such counters")
def test_the_peak_is_that_of_the_command_not_of_this_process(tmp_path: Path) -> None:
    large = np.ones(25_000_000)  # 200 MB, and Python alone takes some 10
    assert cost([sys.executable, "-S", "-c", "pass"], tmp_path).peak < large.nbytes / 2


def test_a_command_that_fails_says_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"(?s)status 3\n.*missing"):
        cost([sys.executable, "-c", "print('missing'); raise SystemExit(3)"], tmp_path)


def test_a_package_that_is_missing_is_named() -> None:
    assert missing("numpy", "no_such_thing", "nor_this") == "no_such_thing is not installed"
    assert not missing("numpy")
