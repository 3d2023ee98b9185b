"""Matrix factorisations of the package implicit, on the CPU."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from benchmarks.comparison.problem import Method, OnPass, Problem, Setting
from twotower.evaluation.ranking import VectorScorer

UNTIL_STOPPED = 100_000
ALS_GRID: tuple[Setting, ...] = tuple(
    {"factors": factors, "regularization": regularization, "alpha": alpha}
    for factors in (64, 256)
    for regularization in (0.1, 10.0)
    for alpha in (1.0, 10.0)
)
BPR_GRID: tuple[Setting, ...] = tuple(
    {"factors": factors, "learning_rate": learning_rate, "regularization": regularization}
    for factors in (64, 256)
    for learning_rate in (0.01, 0.05)
    for regularization in (0.001, 0.01)
)


def _fit(
    make: Any, problem: Problem, matrix: csr_matrix, setting: Setting, on_pass: OnPass
) -> VectorScorer:
    def scorer() -> VectorScorer:
        vectors = (model.user_factors, model.item_factors)
        return VectorScorer(*(np.asarray(array, dtype=np.float32) for array in vectors))

    def callback(iteration: int, *_: float) -> None:
        with threadpool_limits(limits=problem.threads, user_api="blas"):
            on_pass(iteration + 1, scorer)

    # It runs threads of its own and asks for a BLAS that runs none.
    with threadpool_limits(limits=1, user_api="blas"):
        model = make(
            **setting,
            iterations=UNTIL_STOPPED,
            num_threads=problem.threads,
            random_state=problem.seed,
        )
        model.fit(matrix, show_progress=False, callback=callback)
    return scorer()


def _als(problem: Problem, matrix: csr_matrix, setting: Setting, on_pass: OnPass) -> VectorScorer:
    from implicit.cpu.als import AlternatingLeastSquares

    return _fit(AlternatingLeastSquares, problem, matrix, setting, on_pass)


def _bpr(problem: Problem, matrix: csr_matrix, setting: Setting, on_pass: OnPass) -> VectorScorer:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return _fit(BayesianPersonalizedRanking, problem, matrix, setting, on_pass)


def _load(problem: Problem) -> csr_matrix:
    return csr_matrix(problem.histories())


def _obstacle(_problem: Problem) -> str:
    return "" if find_spec("implicit") else "not installed: pip install implicit"


METHODS = (
    Method("implicit_als", ALS_GRID, _als, _load, _obstacle),
    Method("implicit_bpr", BPR_GRID, _bpr, _load, _obstacle),
)
