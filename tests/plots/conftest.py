"""Fixtures that write and read a search."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.plots.searches import random_trials, trial, write_search
from twotower.plots.drawn_search import DrawnSearch, read_search


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., DrawnSearch]:
    """Write and read a search: search(rows, space, **changes)."""

    def build(rows: Sequence[dict[str, Any]], *args: Any, **changes: Any) -> DrawnSearch:
        return read_search(write_search(tmp_path, rows, *args, **changes))

    return build


@pytest.fixture
def twenty(search: Callable[..., DrawnSearch]) -> DrawnSearch:
    """20 trials, one of them failed and one pruned."""
    rows = random_trials(20)
    rows[6] = trial(None, "FAIL", lr=0.1, dim=64, batch_size=128, loss="mse")
    rows[9] = trial(None, "PRUNED", lr=0.05, dim=8, batch_size=128, loss="mse")
    return search(rows)
