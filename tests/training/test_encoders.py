import runpy

import numpy as np
import pytest
import torch

from tests.data.test_features import CELLS, IN_TRAIN, OPTIONS
from twotower.data.dense import Vector
from twotower.data.features import KINDS, Categorical, MultiValued, Numeric
from twotower.training import encoders
from twotower.training.encoders import (
    COLUMN_ENCODERS,
    SHARED_ENCODERS,
    CategoricalEncoder,
    DenseEncoder,
    MultiValuedEncoder,
    NumericEncoder,
)

IDX = torch.tensor([2, 0, 1, 0])


def test_a_category_has_its_embedding() -> None:
    encoder = CategoricalEncoder(Categorical(np.array([2, 0, 1]), ("a", "b")), dim=3)
    assert torch.equal(encoder(IDX), encoder.weight[[1, 2, 0, 2]])


def test_several_categories_have_their_mean() -> None:
    column = MultiValued(np.array([1, 2, 2]), np.array([0, 2, 2, 3]), ("a", "b"))
    encoder = MultiValuedEncoder(column, dim=3)
    mean = (encoder.weight[1] + encoder.weight[2]) / 2
    expected = torch.stack([encoder.weight[2], mean, torch.zeros(3), mean])
    assert torch.allclose(encoder(IDX), expected)


def test_numbers_share_one_linear_map() -> None:
    columns = [
        Numeric(np.array(values, dtype=np.float32), 0.0, 1.0)
        for values in ([1.0, 0.0, -2.0], [0.5, 3.0, 0.0])
    ]
    encoder = NumericEncoder(columns, dim=3)
    first, second = encoder.weight.T
    expected = torch.stack([-2 * first, first + 0.5 * second, 3 * second, first + 0.5 * second])
    assert torch.allclose(encoder(IDX), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_is_the_inputs_times_the_weights(kind) -> None:
    cells = CELLS[KINDS[kind].cells]
    column = KINDS[kind].encode(cells, IN_TRAIN, "table", OPTIONS[kind])
    shared = kind in SHARED_ENCODERS
    encoder = SHARED_ENCODERS[kind]([column], 3) if shared else COLUMN_ENCODERS[kind](column, 3)
    weight = encoder.weight.T if isinstance(encoder, torch.nn.Linear) else encoder.weight
    expected = encoder.inputs() @ weight.detach().numpy()
    assert encoder(torch.arange(len(cells))).detach().numpy() == pytest.approx(expected, abs=1e-6)


def test_a_vector_is_mapped_linearly() -> None:
    values = np.array([[1.0, -2.0], [0.0, 0.0], [0.5, 0.0]], dtype=np.float32)
    encoder = DenseEncoder(Vector(values, normalise=False, scale=1.0), dim=3)
    first, second = encoder.weight.T
    expected = torch.stack([first / 2, first - 2 * second, torch.zeros(3), first - 2 * second])
    assert torch.allclose(encoder(IDX), expected)


def test_values_are_not_saved() -> None:
    """They come with the catalogue."""
    column = Categorical(np.array([1]), ("a",))
    assert list(CategoricalEncoder(column, dim=2).state_dict()) == ["weight"]
    vectors = Vector(np.ones((1, 4), dtype=np.float32), normalise=False, scale=1.0)
    assert list(DenseEncoder(vectors, dim=2).state_dict()) == ["weight"]


def test_a_kind_without_an_encoder_fails_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "made_up", type("MadeUp", (Numeric,), {"name": "made_up"}))
    with pytest.raises(NotImplementedError, match="kinds of features without an encoder: made_up"):
        runpy.run_path(encoders.__file__)
