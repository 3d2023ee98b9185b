"""Side features as one sparse matrix, for methods that are linear in them."""

from functools import singledispatch

import numpy as np
from scipy.sparse import csr_array, hstack

from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.categories import Categorical, MultiValued
from twotower.data.feature import Feature
from twotower.data.features import Features


def design_matrix(features: Features, num_entities: int) -> csr_array:
    """[num_entities, num_columns] float32, the columns of each feature in the order of the names.

    A categorical feature has a column for each category, with a 1 where an entity has it. So has a
    multi-valued one, with 1 / √m where an entity has m categories: its row has length 1. A numeric
    feature has one column, of standardised numbers, and any other kind the columns of its numbers.
    What is unknown or missing is a 0 everywhere. There is no constant column, and no column at all
    without features.

    Args:
        features: of one entity type.
        num_entities: of that type.
    """
    columns = [_columns(feature) for feature in features.columns.values()]
    empty = csr_array((num_entities, 0), dtype=np.float32)
    return hstack([empty, *columns], format="csr", dtype=np.float32)


@singledispatch
def _columns(feature: Feature) -> csr_array:
    """[num_entities, num_columns] of one feature: its numbers, unless its kind has a function."""
    numbers = vars(feature)["values"]
    return csr_array(numbers.reshape(len(numbers), -1))


@_columns.register
def _(feature: Categorical) -> csr_array:
    known = feature.codes > 0
    offsets = np.concatenate([[0], np.cumsum(known)])
    return _one_hot(
        offsets, feature.codes[known], np.ones(known.sum(), np.float32), len(feature.categories)
    )


@_columns.register
def _(feature: MultiValued) -> csr_array:
    counts = np.diff(feature.offsets)
    values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return _one_hot(feature.offsets, feature.codes, values, len(feature.categories))


def _one_hot(
    offsets: Int64Array, codes: Int64Array, values: Float32Array, num_categories: int
) -> csr_array:
    """Row i has values[offsets[i]:offsets[i + 1]] in the columns of its codes, which are from 1."""
    shape = (len(offsets) - 1, num_categories)
    return csr_array((values, codes - 1, offsets), shape=shape)
