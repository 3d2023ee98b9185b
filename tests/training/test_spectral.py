import numpy as np
import pytest
import torch

from tests.conftest import catalogue_of, events, split_by_time
from twotower.common.errors import TrainingError
from twotower.config.training import ModelConfig, TrainConfig
from twotower.training.fit import fit
from twotower.training.history import History
from twotower.training.spectral import (
    SpectralProblem,
    decompose,
    decompose_on_device,
    normalised,
    spectral_items,
)

TRAIN = split_by_time(events(seed=0))["train"]
CATALOGUE = catalogue_of(TRAIN, features=True)
ROWS = CATALOGUE.encode(TRAIN)
CLOSED_FORM = TrainConfig(epochs=0)


def spectral(**model) -> ModelConfig:
    return ModelConfig.model_validate({"init": "spectral", "similarity": "dot", **model})


def history(config: ModelConfig) -> History:
    return History.of(ROWS, len(CATALOGUE.users), len(CATALOGUE.items), config)


def scores(config: ModelConfig) -> np.ndarray:
    users, items = fit(CATALOGUE, ROWS, config, CLOSED_FORM, seed=1).vectors()
    return users @ items.T


@pytest.mark.parametrize("user_tower", ["id", "history", "both"])
def test_scores_are_those_of_the_formula(user_tower) -> None:
    exponents = {"user_exponent": 0.4, "item_exponent": 0.5}
    powers = {"singular_exponent": 0.75, "popularity_exponent": 0.3}
    config = spectral(dim=4, spectral_rank=8, user_tower=user_tower, **exponents, **powers)
    matrix = history(config).matrix().toarray().astype(np.float64)
    users, items = matrix.sum(axis=1), matrix.sum(axis=0)
    normal = matrix / users[:, None] ** 0.4 / items**0.5
    _, values, right = np.linalg.svd(normal)
    right = right[:4].T
    expected = (normal @ right * values[:4] ** 0.75) @ (items[:, None] ** 0.3 * right).T
    actual = scores(config)
    ratio = np.vdot(actual, expected) / np.vdot(expected, expected)  # vectors have unit mean length
    assert np.allclose(actual, ratio * expected, atol=1e-3 * np.abs(actual).max())


def test_dimensions_beyond_the_rank_are_zero() -> None:
    small = history(spectral())
    actual = decompose(SpectralProblem(small.matrix(), 0.5, 0.5, rank=200, seed=1, threads=1))
    rank = np.linalg.matrix_rank(small.matrix().toarray())
    assert actual.vectors.shape == (len(CATALOGUE.items), 200)
    assert not actual.vectors[:, rank:].any()
    assert np.allclose(
        actual.vectors[:, :rank].T @ actual.vectors[:, :rank], np.eye(rank), atol=1e-4
    )


@pytest.mark.parametrize("transposed", [False, True])
def test_a_gpu_finds_the_same_spectrum(transposed) -> None:
    matrix = normalised(history(spectral()).matrix(), 0.5, 0.5)
    matrix = matrix.T.tocsr() if transposed else matrix
    device = "cuda" if torch.cuda.is_available() else "cpu"
    values, vectors = decompose_on_device(matrix, 4, seed=1, device=device)
    _, expected, right = np.linalg.svd(matrix.toarray())
    assert np.allclose(values, expected[:4], rtol=1e-3)
    angles = np.linalg.svd(vectors @ right[:4].T, compute_uv=False)  # their cosines
    assert angles.min() > 0.99
    assert np.allclose(vectors @ vectors.T, np.eye(4), atol=1e-5)


def test_a_kept_decomposition_is_used_again(tmp_path, monkeypatch) -> None:
    def vectors(config: ModelConfig) -> np.ndarray:
        return spectral_items(history(config), config, seed=1, threads=1, folder=tmp_path / "kept")

    first = vectors(spectral(dim=8, spectral_rank=16))
    monkeypatch.setattr("twotower.training.spectral.decompose", None)
    assert np.array_equal(vectors(spectral(dim=8, spectral_rank=16)), first)
    narrow = vectors(spectral(dim=4, spectral_rank=16))
    assert np.allclose(narrow / narrow[0, 0], first[:, :4] / first[0, 0], rtol=1e-4)
    assert len(list((tmp_path / "kept").glob("*.npz"))) == 1
    with pytest.raises(TypeError):  # another pair of exponents is another decomposition
        vectors(spectral(dim=8, spectral_rank=16, user_exponent=0.3))


def test_another_gpu_decomposes_anew(monkeypatch) -> None:
    problem = SpectralProblem(history(spectral()).matrix(), 0.5, 0.5, 4, 1, 1, device="cuda")
    digests = set()
    for name in ("one", "another"):
        monkeypatch.setattr(
            "twotower.training.spectral.describe_gpu", lambda _, name=name: {"gpu": name}
        )
        digests.add(problem.digest())
    assert len(digests) == 2


def test_training_goes_on_from_the_start() -> None:
    config = spectral(dim=8, similarity="cosine")
    start = fit(CATALOGUE, ROWS, config, CLOSED_FORM, seed=1).vectors()[1]
    train = TrainConfig(epochs=1, lr=1e-4, batch_size=64)
    trained = fit(CATALOGUE, ROWS, config, train, seed=1).vectors()[1]
    assert not np.array_equal(start, trained)
    assert (start * trained).sum(axis=1).mean() > 0.99


def test_one_user_cannot_be_decomposed() -> None:
    one = TRAIN[TRAIN["user_id"] == TRAIN["user_id"].iloc[0]]
    catalogue = catalogue_of(one)
    with pytest.raises(TrainingError, match="needs 2 users and 2 items, got 1 and"):
        fit(catalogue, catalogue.encode(one), spectral(dim=2), CLOSED_FORM, seed=1)


def test_it_does_not_touch_the_generator_of_others() -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    fit(CATALOGUE, ROWS, spectral(dim=4), CLOSED_FORM, seed=1)
    assert np.random.rand() == expected
