"""Both towers turned by one rotation, so that the items' vectors come to lie on earlier ones.

Scores are inner products, which a rotation leaves alone; so are cosines. What two trainings agree
on may therefore lie anywhere; after the rotation only what they disagree on is left.

Source: Schoenemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika
1966; of embeddings of different times: Hamilton, Leskovec and Jurafsky, ACL 2016.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from twotower.common.arrays import Float32Array, Float64Array
from twotower.training.tower import Tower
from twotower.training.towers import TwoTower


@torch.no_grad()
def align(model: TwoTower, vectors: Float32Array, earlier: Float32Array) -> None:
    """Turn a model so that some of its items' vectors come as close as possible to earlier ones.

    A sequence tower ends in a normalisation of each dimension, which no rotation passes: such a
    model stays as it is.

    Args:
        model: changed in place.
        vectors: [count, width] float32 of its items, as they are compared, without a popularity.
        earlier: [count, width] of the same items.
    """
    if model.encoder is not None:
        return
    rotation = torch.from_numpy(rotation_to(vectors, earlier).astype(np.float32)).to(model.device)
    for tower in (model.user_tower, model.item_tower):
        _turn(tower, rotation)
    if model.history_embedding is not None:
        model.history_embedding.weight.copy_(model.history_embedding.weight @ rotation)


def rotation_to(vectors: Float32Array, earlier: Float32Array) -> Float64Array:
    """[width, width] orthogonal R for which `vectors @ R` is closest to `earlier`.

    The sum of squared distances is least. Without vectors it is the identity.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        product = vectors.astype(np.float64).T @ earlier.astype(np.float64)
        if not product.any():
            return np.eye(len(product))
        left, _, right = np.linalg.svd(product)
        rotation: Float64Array = left @ right
    return rotation


def _turn(tower: Tower, rotation: Tensor) -> None:
    if len(tower.layers):
        last = cast(nn.Linear, tower.layers[-1])
        last.weight.copy_(rotation.T @ last.weight)
        last.bias.copy_(last.bias @ rotation)
        return
    if tower.id_embedding is not None:
        tower.id_embedding.weight.copy_(tower.id_embedding.weight @ rotation)
    for encoder in tower.encoders():
        weight = encoder.weight
        turned = rotation.T @ weight if isinstance(encoder, nn.Linear) else weight @ rotation
        weight.copy_(turned)
