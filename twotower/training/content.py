"""Item vectors from side features: encoders fitted to given vectors by ridge regression.

They give an item without interactions the vector that its features make likely. Each encoder is
linear in its weights, so that the solution of one regression is the weights of all. As the tower
has no constant, neither has the regression. All items count alike: those with many rows, whose
vectors are known best, are least like those without any.

Sources: content mapped to the vectors of items: Gantner et al., "Learning attribute-to-feature
mappings for cold-start recommendations", ICDM 2010; the penalty by leave-one-out in closed form:
Golub, Heath and Wahba, Technometrics 1979.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.training.encoders import Encoder

PENALTIES = tuple(10.0**power for power in range(-1, 5))
"""That are tried, in items: a category of as many items is halfway between 0 and their mean."""
MAX_COLUMNS = 1000
"""Of the regression, whose time grows with their cube: those that most items have."""


@torch.no_grad()
def fit_encoders(
    encoders: Sequence[Encoder], vectors: Float32Array, known: BoolArray, *, threads: int
) -> None:
    """Set the weights with which the encoders' sum comes closest to the vectors of known items.

    Args:
        encoders: of one tower, on the CPU; changed in place.
        vectors: [num_items, dim] float32.
        known: [num_items] whether an item is learned from.
        threads: of linear algebra; another number gives slightly different results.
    """
    if not encoders:
        return
    inputs = [encoder.inputs() for encoder in encoders]
    weights = torch.from_numpy(
        _regression(scipy.sparse.hstack(inputs, format="csr")[known], vectors[known], threads)
    )
    parts = torch.split(weights, [columns.shape[1] for columns in inputs])
    for encoder, part in zip(encoders, parts, strict=True):
        table: Tensor = encoder.weight
        (table.T if isinstance(encoder, nn.Linear) else table).copy_(part)


def _regression(
    inputs: scipy.sparse.csr_array, vectors: Float32Array, threads: int
) -> Float32Array:
    """[num_columns, dim] solution; 0 where no item has the column, and past MAX_COLUMNS.

    Args:
        inputs: [num_known, num_columns].
        vectors: [num_known, dim] float32.
        threads: of linear algebra.
    """
    from sklearn.linear_model import RidgeCV
    from threadpoolctl import threadpool_limits

    weights = np.zeros((inputs.shape[1], vectors.shape[1]), np.float32)
    columns = _most_frequent(inputs)
    if inputs.shape[0] > 1 and len(columns):
        design = inputs[:, columns].astype(np.float64)
        with threadpool_limits(threads, user_api="blas"):
            fitted = RidgeCV(PENALTIES, fit_intercept=False).fit(design, vectors.astype(np.float64))
        weights[columns] = np.reshape(fitted.coef_, (-1, len(columns))).T
    return weights


def _most_frequent(inputs: scipy.sparse.csr_array) -> Int64Array:
    """Columns that items have, at most MAX_COLUMNS, in ascending order."""
    counts = np.bincount(inputs.indices[inputs.data != 0], minlength=inputs.shape[1])
    frequent = np.argsort(-counts, kind="stable")[:MAX_COLUMNS]
    return np.sort(frequent[counts[frequent] > 0])
