"""Evaluation sets from matrices of users and items."""

import numpy as np

from twotower.common.arrays import Float64Array
from twotower.data.interactions import Interactions
from twotower.evaluation.holdout import EvaluationSet, self_information

K = 10
METRIC = f"recall_at_{K}"


def evaluation_target(relevant: Float64Array, masked: Float64Array) -> EvaluationSet:
    """An evaluation set from two [num_users, num_items] matrices of 0 and 1."""
    lists = [interactions(m).distinct_items(*m.shape) for m in (relevant, masked)]
    users, size = np.arange(len(relevant)), relevant.shape[1]
    bits = self_information(lists[1], size)
    return EvaluationSet(users, lists[0], lists[0].counts, lists[1], size, 0, 0, bits)


def interactions(matrix: Float64Array) -> Interactions:
    """A row for each cell that is not 0."""
    users, items = np.nonzero(matrix)
    return Interactions(users, items, np.ones(len(users), np.float32), np.zeros(len(users), int))
