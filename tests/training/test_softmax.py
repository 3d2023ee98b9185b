"""What is masked; the losses themselves are tested in `test_losses`."""

import numpy as np
import pytest

from twotower.training.softmax import accidental_hits


@pytest.mark.parametrize("rows", [0, 1, 40, 60])
def test_accidental_hits_are_those_of_a_comparison(rows) -> None:
    """Of all candidates with each other; the last ones are no rows."""
    items = np.random.default_rng(0).integers(0, 30, 60)
    same = items[:rows, None] == items[None, :]
    np.fill_diagonal(same, val=False)
    assert accidental_hits(items, rows).tolist() == np.flatnonzero(same).tolist()


def test_items_that_all_differ_have_no_accidental_hits() -> None:
    assert accidental_hits(np.array([4, 2, 9]), 3).tolist() == []
