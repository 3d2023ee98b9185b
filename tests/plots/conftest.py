"""Fixtures that write and read a search."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.plots.search_files import random_trials, trial, write_search
from twotower.plots.study import Search


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Search]:
    """Write and read a search: search(rows, space, **changes)."""

    def build(rows: Sequence[dict[str, Any]], *args: Any, **changes: Any) -> Search:
        return write_search(tmp_path, rows, *args, **changes).read()

    return build


@pytest.fixture
def twenty(search: Callable[..., Search]) -> Search:
    """20 trials, one of them failed and one pruned."""
    rows = random_trials(20)
    rows[6] = trial(None, "FAIL", lr=0.1, dim=64, batch_size=128, loss="mse")
    rows[9] = trial(None, "PRUNED", lr=0.05, dim=8, batch_size=128, loss="mse")
    return search(rows)
