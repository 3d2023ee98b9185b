"""Evaluation, decomposition and ridge regression beside the bare work that each is made of.

An evaluation ranks the whole catalogue for every user, with all metrics; bare: the product in the
blocks that the evaluation has, and torch.topk of each. The decomposition, that of the spectral
start, is beside its sparse products, its QR decompositions and the last, small decomposition; the
ridge regression beside its products and the solution of its systems. One thread; CPU seconds; run
in turn, the medians count.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import scipy.linalg
import torch
from scipy.sparse import csr_array

from benchmarks.measured import Line, Scale, in_turn, timed
from benchmarks.random_data import GOWALLA, catalogue, interactions
from twotower.common.arrays import Float32Array
from twotower.config.training import ModelConfig
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.ranking import BLOCK_ROWS, BLOCK_SCORES, VectorScorer
from twotower.training.device import use_threads
from twotower.training.history import History
from twotower.training.ridge import ridge_items
from twotower.training.spectral import (
    OVERSAMPLES,
    POWER_ITERATIONS,
    SpectralProblem,
    decompose,
    normalised,
)

K = 20
CONFIG = ModelConfig(init="ridge", similarity="dot", features=False)


def lines(scale: Scale) -> Iterator[Line]:
    """Yield each as it is measured."""
    use_threads(1)
    users, items, rows = GOWALLA
    share = 4 if scale == "quick" else 1
    yield _evaluation(users // share, items, rows // share, dim=64)
    yield _evaluation(100_000 // share, 2_000, 1_000_000 // share, dim=64)
    yield _evaluation(1_800, 1_051, 15_000, dim=32)  # as many as in the sample shop
    dim = 512 // share
    history = History.of(
        catalogue(users, items).encode(interactions(users, items, rows)), users, items, CONFIG
    )
    yield _decomposition(history, dim)
    yield _regression(history, dim)


def _evaluation(users: int, items: int, rows: int, *, dim: int) -> Line:
    """Of users whose vectors are drawn to those of their held-out items, as training does."""
    everything = catalogue(users, items)
    known, held_out = (interactions(users, items, count, seed)
                       for seed, count in enumerate((rows, rows // 4)))  # fmt: skip
    target = evaluation_set(everything, known, held_out, exclude_seen=True)
    rng = np.random.default_rng(0)
    user_vecs, item_vecs = (_normal(rng, count, dim) for count in (users, items))
    np.add.at(user_vecs, held_out["user_id"], item_vecs[held_out["item_id"]])
    scorer = VectorScorer(user_vecs, item_vecs)
    block = max(1, min(BLOCK_ROWS, BLOCK_SCORES // items))

    def bare() -> None:
        for queries in torch.split(scorer.user_vecs[torch.from_numpy(target.users)], block):
            torch.topk(queries @ scorer.item_vecs.T, K)

    return _line(
        f"evaluation, {len(target):,} users, {items:,} items, {dim} dimensions",
        lambda: evaluate(scorer, target, (5, 10, K)),
        bare,
        aim=1.15,
        against="product and torch.topk",
    )


def _decomposition(history: History, dim: int) -> Line:
    matrix = normalised(history.matrix(), CONFIG.user_exponent, CONFIG.item_exponent)
    problem = SpectralProblem(
        history.matrix(), CONFIG.user_exponent, CONFIG.item_exponent, dim, seed=0, threads=1
    )
    start = _normal(np.random.default_rng(0), history.num_items, dim + OVERSAMPLES)

    def bare() -> None:
        basis = start
        for _ in range(POWER_ITERATIONS):
            basis = _orthonormal(matrix.T @ _orthonormal(matrix @ basis))
        basis = _orthonormal(matrix @ basis)
        scipy.linalg.svd((matrix.T @ basis).T, full_matrices=False, check_finite=False)

    return _line(
        f"decomposition, {_size(history)}, {dim} dimensions",
        lambda: decompose(problem),
        bare,
        aim=1.25,
        against="its products, QR decompositions and last SVD",
    )


def _regression(history: History, dim: int) -> Line:
    target = history.matrix()
    pooling = normalised(target, CONFIG.user_exponent, CONFIG.item_exponent)
    own = _normal(np.random.default_rng(0), history.num_items, dim)

    def bare() -> None:
        users = pooling @ own
        gram = (users.T @ users).astype(np.float64) + np.eye(dim)
        sides = [(matrix.T @ users).astype(np.float64) for matrix in (target, pooling)]
        factor = scipy.linalg.cho_factor(gram, lower=True, check_finite=False)
        for side in [*sides, own.astype(np.float64)]:
            scipy.linalg.cho_solve(factor, side.T, check_finite=False)

    return _line(
        f"ridge regression, {_size(history)}, {dim} dimensions",
        lambda: ridge_items(own, history, CONFIG, threads=1),
        bare,
        aim=1.5,
        against="its products and solutions",
    )


def _line(
    what: str, ours: Callable[[], object], bare: Callable[[], object], *, aim: float, against: str
) -> Line:
    for run in (ours, bare):
        run()  # imports, and memory that is touched for the first time
    costs = in_turn({"ours": partial(timed, ours), "bare": partial(timed, bare)}, rounds=5)
    return Line(what, "s", aim, costs["ours"].cpu, costs["bare"].cpu, against)


def _normal(rng: np.random.Generator, *shape: int) -> Float32Array:
    return rng.standard_normal(shape, dtype=np.float32)


def _orthonormal(columns: Float32Array) -> Float32Array:
    basis: Float32Array = scipy.linalg.qr(columns, mode="economic", check_finite=False)[0]
    return basis


def _size(history: History) -> str:
    matrix: csr_array = history.matrix()
    return f"{matrix.shape[0]:,} users, {matrix.shape[1]:,} items, {matrix.nnz:,} pairs"
