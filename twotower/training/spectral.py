"""The closed-form start: a truncated singular value decomposition of the interactions.

With R the weights of the pairs, N = D_u^-a R D_i^-b and its leading right singular vectors V and
singular values s, the items are D_i^c V s^(p/2) and the users N V s^(p/2): their inner products are
those of a low-rank autoencoder of the normalised matrix. A user's vector is a sum of the vectors of
the user's items, which `History` pools.

Sources: randomised decomposition: Halko, Martinsson and Tropp, SIAM Review 2011; the normalised
spectrum as a recommender: Shen et al., "How powerful is graph convolution for recommendation?",
CIKM 2021; Peng et al., "SVD-GCN", CIKM 2022.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from filelock import FileLock

from twotower.common.arrays import Float32Array
from twotower.common.errors import TrainingError
from twotower.common.files import atomic_write
from twotower.common.portable import capability
from twotower.config.training import ModelConfig
from twotower.training.device import describe_gpu
from twotower.training.device_matrix import DeviceMatrix
from twotower.training.history import History, power, unit_mean_length

OVERSAMPLES = 32
"""Dimensions that are computed and discarded, for the accuracy of the last ones that are kept."""
POWER_ITERATIONS = 2


@dataclass(frozen=True)
class Decomposition:
    """Leading part of the spectrum of a normalised interaction matrix.

    Attributes:
        vectors: [num_items, rank] float32 right singular vectors; 0 past the rank of the matrix.
        values: [rank] float32 singular values, descending; 0 likewise.
    """

    vectors: Float32Array
    values: Float32Array


@dataclass(frozen=True)
class SpectralProblem:
    """All that a decomposition depends on.

    Attributes:
        matrix: [num_users, num_items] float32 weights.
        user_exponent: rows are divided by their total to this power.
        item_exponent: columns likewise.
        rank: dimensions to compute; those past the rank of the matrix are 0.
        seed: of the random projection.
        threads: of linear algebra; another number gives slightly different results.
        device: of torch; another one too.
    """

    matrix: scipy.sparse.csr_array
    user_exponent: float
    item_exponent: float
    rank: int
    seed: int
    threads: int
    device: str = "cpu"

    def digest(self) -> str:
        """Hexadecimal digest of the problem and of the libraries that solve it, and how."""
        digest = hashlib.sha256()
        for array in (self.matrix.indptr, self.matrix.indices, self.matrix.data):
            digest.update(array.tobytes())
        libraries = [version(name) for name in ("numpy", "scikit-learn", "scipy", "torch")]
        settings = (
            *(self.matrix.shape, self.user_exponent, self.item_exponent, self.rank, self.seed),
            *(self.threads, self.device, OVERSAMPLES, POWER_ITERATIONS, *libraries, capability()),
            *([] if self.device == "cpu" else describe_gpu("cuda").values()),
        )
        digest.update(repr(settings).encode())
        return digest.hexdigest()[:32]


def spectral_items(
    history: History,
    config: ModelConfig,
    *,
    seed: int,
    threads: int,
    folder: Path | None,
    device: str = "cpu",
) -> Float32Array:
    """Item vectors of the closed-form model.

    Args:
        history: what is decomposed.
        config: section `model`.
        seed: of the random projection.
        threads: of linear algebra; another number gives slightly different results.
        folder: cache of decompositions, by digest of the problem; None: no cache.
        device: of torch, where the decomposition is computed.

    Returns:
        [num_items, width] float32, of mean length 1.

    Raises:
        TrainingError: if there is only one user or one item.
    """
    rank = max(config.spectral_rank or 0, config.dim)
    exponents = config.user_exponent, config.item_exponent
    problem = SpectralProblem(history.matrix(), *exponents, rank, seed, threads, device)
    spectrum = _cached(problem, folder)
    values = spectrum.values[: config.width] ** np.float32(config.singular_exponent / 2)
    scale = power(history.item_totals(), config.popularity_exponent).astype(np.float32)
    return unit_mean_length(spectrum.vectors[:, : config.width] * values * scale[:, None])


def _cached(problem: SpectralProblem, folder: Path | None) -> Decomposition:
    """The decomposition from memory, from the folder, or computed and stored there."""
    if folder is None:
        return decompose(problem)
    if not folder.parent.is_dir():  # a worker on a machine without the repository
        folder = Path(tempfile.gettempdir()) / "two-tower-spectral"
    path = folder / f"{problem.digest()}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # so that other workers wait for it
            if not path.exists():
                new = decompose(problem)
                with atomic_write(path) as handle:
                    np.savez(handle, vectors=new.vectors, values=new.values)
    return _load(path)


@lru_cache(maxsize=2)
def _load(path: Path) -> Decomposition:
    with np.load(path, allow_pickle=False) as arrays:
        return Decomposition(arrays["vectors"], arrays["values"])


def decompose(problem: SpectralProblem) -> Decomposition:
    """Randomised truncated singular value decomposition of the normalised matrix.

    Raises:
        TrainingError: if there is only one user or one item.
    """
    shape = problem.matrix.shape
    if min(shape) < 2:
        msg = (
            f"model.init: a decomposition needs 2 users and 2 items, got {shape[0]} and {shape[1]}"
        )
        raise TrainingError(msg)
    rank = min(problem.rank, *shape)
    matrix = normalised(problem.matrix, problem.user_exponent, problem.item_exponent)
    seed = problem.seed % 2**32
    if problem.device == "cpu":
        values, transposed = _decompose_on_cpu(matrix, rank, seed, problem.threads)
    else:
        values, transposed = decompose_on_device(matrix, rank, seed, problem.device)
    # The vectors of singular values at rounding level are noise.
    noise = values <= values[0] * 1e-5
    values[noise], transposed[noise] = 0.0, 0.0
    padding = (0, problem.rank - rank)
    vectors = np.pad(transposed.T.astype(np.float32), ((0, 0), padding))
    return Decomposition(np.ascontiguousarray(vectors), np.pad(values.astype(np.float32), padding))


def _decompose_on_cpu(
    matrix: scipy.sparse.csr_array, rank: int, seed: int, threads: int
) -> tuple[Float32Array, Float32Array]:
    """[rank] singular values, descending, and [rank, num_items] right singular vectors."""
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads, user_api="blas"):
        _, values, transposed = randomized_svd(
            matrix,
            rank,
            n_oversamples=OVERSAMPLES,
            n_iter=POWER_ITERATIONS,
            power_iteration_normalizer="QR",
            random_state=seed,
        )
    return values, transposed


def decompose_on_device(
    matrix: scipy.sparse.csr_array, rank: int, seed: int, device: str
) -> tuple[Float32Array, Float32Array]:
    """The same in torch: another random projection, and so the same spectrum up to its rounding.

    The last, small decomposition is that of a Gram matrix in float64: a singular value at the
    level of noise, 1e-5 of the largest, still has half of the digits of float32 in it.
    """
    there, back = (DeviceMatrix.of(side, device) for side in (matrix, matrix.T.tocsr()))
    generator = torch.Generator(device).manual_seed(seed)
    size = (matrix.shape[1], rank + OVERSAMPLES)
    basis = torch.randn(size, generator=generator, device=device)
    for _ in range(POWER_ITERATIONS):
        basis = torch.linalg.qr(back.times(torch.linalg.qr(there.times(basis))[0]))[0]
    projected = back.times(torch.linalg.qr(there.times(basis))[0])  # [num_items, at least rank]
    wide = projected.double()
    squares, rotation = torch.linalg.eigh(wide.T @ wide)
    values = squares[-rank:].flip(0).clamp(min=1e-60).sqrt()
    vectors = wide @ rotation[:, -rank:].flip(1) / values
    return values.float().cpu().numpy(), vectors.float().T.cpu().numpy().copy()


def normalised(
    matrix: scipy.sparse.csr_array, user_exponent: float, item_exponent: float
) -> scipy.sparse.csr_array:
    """The matrix with rows and columns divided by their totals to these powers."""
    left, right = (
        scipy.sparse.diags_array(
            power(matrix.sum(axis=axis, dtype=np.float64), -exponent).astype(np.float32)
        )
        for axis, exponent in ((1, user_exponent), (0, item_exponent))
    )
    return scipy.sparse.csr_array(left @ matrix @ right)
