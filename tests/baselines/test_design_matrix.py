"""Each kind by hand, side by side, and without any feature."""

import numpy as np
import pytest

from tests.data.test_features import CELLS, IN_TRAIN, OPTIONS
from twotower.baselines.design_matrix import design_matrix
from twotower.data.features import KINDS, Features


def encoded(*kinds: str) -> Features:
    columns = {
        kind: KINDS[kind].encode(CELLS[KINDS[kind].cells], IN_TRAIN, kind, OPTIONS[kind])
        for kind in sorted(kinds)
    }
    return Features(columns)


def test_categories_lists_and_numbers_side_by_side() -> None:
    matrix = design_matrix(encoded("categorical", "multi_valued", "numeric"), 3)
    expected = [
        # a, b | a, b | standardised by the one number of the training split, 1
        [0, 1, 0.5**0.5, 0.5**0.5, 0],
        [0, 0, 0, 0, 0],
        [1, 0, 0, 1, 4],
    ]
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_columns(kind) -> None:
    assert design_matrix(encoded(kind), 3).shape[0] == 3


def test_without_features_there_are_no_columns() -> None:
    assert design_matrix(Features(), 4).shape == (4, 0)
