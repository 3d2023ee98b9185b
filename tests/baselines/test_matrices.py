import numpy as np
import pytest
from scipy.sparse import csr_array

from twotower.baselines import matrices
from twotower.baselines.matrices import negative_inverse, product


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 7, 20, 64])
def test_the_inverse_is_exact_whatever_the_blocks(dtype, block, monkeypatch) -> None:
    monkeypatch.setattr(matrices, "BLOCK", block)
    x = np.random.default_rng(0).normal(size=(40, 20))
    gram = x.T @ x + np.eye(20)
    swept = gram.astype(dtype)
    negative_inverse(swept)
    np.testing.assert_allclose(-swept, np.linalg.inv(gram), rtol=2e-3, atol=2e-6)


def test_a_singular_matrix_is_an_error() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        negative_inverse(np.zeros((3, 3)))


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_products(rows) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.random((rows, 4)), rng.random((4, 3))
    np.testing.assert_allclose(product(left, right), left @ right)
    np.testing.assert_allclose(product(csr_array(left), right), left @ right)
    nothing = csr_array((rows, 4))
    assert not product(nothing, right).any()
