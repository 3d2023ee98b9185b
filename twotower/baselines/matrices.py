"""Large matrices on two threads, with bits that do not depend on their number."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from twotower.common.arrays import FloatArray
from twotower.common.progress import track

BLOCK = 512
"""Rows of a block. Constant, as the shape of a matrix product can change its bits."""
THREADS = 2
"""Parts in work at once. Each is computed by one thread, so that their number changes no bit. BLAS
runs none of its own: they wait for each other badly on a busy machine."""


def blocks(size: int) -> list[slice]:
    """Consecutive rows, BLOCK at a time."""
    return [slice(start, min(start + BLOCK, size)) for start in range(0, size, BLOCK)]


def negative_inverse(matrix: FloatArray) -> None:
    """Turn a positive definite matrix into -1 times its inverse, in place.

    size³ floating-point operations, and memory for 2 · THREADS + 2 blocks beside the matrix.

    Args:
        matrix: [size, size] float32 or float64; only its upper triangle is read, all of it is set.

    Raises:
        LinAlgError: if the matrix is singular.

    Source: the sweep operator, Goodnight, "A tutorial on the SWEEP operator", The American
    Statistician 1979, with blocks for pivots.
    """
    stripes = blocks(len(matrix))
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(THREADS) as pool:
        for pivot in track(stripes, "pivot block"):
            _sweep(matrix, pivot, stripes, pool)
    for rows in stripes:
        matrix[rows.stop :, rows] = matrix[rows, rows.stop :].T


def _sweep(
    matrix: FloatArray, pivot: slice, stripes: list[slice], pool: ThreadPoolExecutor
) -> None:
    """Sweep one block; the matrix is that of its upper triangle of blocks."""
    inverse = np.linalg.inv(matrix[pivot, pivot].astype(np.float64))
    inverse = ((inverse + inverse.T) / 2).astype(matrix.dtype)
    panel = np.concatenate([matrix[: pivot.start, pivot], matrix[pivot, pivot.start :].T])
    solved = np.empty_like(panel)

    def update(rows: slice) -> None:
        solved[rows] = panel[rows] @ inverse
        if rows != pivot:
            matrix[rows, rows.start :] -= solved[rows] @ panel[rows.start :].T

    list(pool.map(update, stripes))  # `list` raises what an update has raised
    matrix[: pivot.start, pivot] = solved[: pivot.start]
    matrix[pivot, pivot.stop :] = solved[pivot.stop :].T
    matrix[pivot, pivot] = -inverse


def product(left: csr_array | FloatArray, right: FloatArray) -> FloatArray:
    """[rows, columns] of a sparse or dense [rows, n] and a dense [n, columns] matrix."""
    work = left.indptr if isinstance(left, csr_array) else np.arange(len(left) + 1)
    middle = int(np.searchsorted(work, work[-1] / 2))
    found = np.empty((left.shape[0], right.shape[1]), np.result_type(left.dtype, right.dtype))

    def multiply(rows: slice) -> None:
        found[rows] = left[rows] @ right

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(multiply, [slice(0, middle), slice(middle, None)]))
    return found
