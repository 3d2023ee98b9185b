"""Where training starts: the functions of `config.training_choices.STARTS`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.seeds import derive_seed
from twotower.config.training import ModelConfig
from twotower.data.interactions import Interactions
from twotower.training.content import fit_encoders
from twotower.training.history import History, unit_mean_length
from twotower.training.ridge import ridge_items
from twotower.training.spectral import spectral_items
from twotower.training.tower import Tower
from twotower.training.towers import TwoTower, pool

SEQUENCE_STD = 0.02
"""Standard deviation of the initial weights of a model with a sequence tower: with Adam's steps of
one size, larger ones take several times as many epochs."""
ID_LENGTH = 0.1
"""Initial length of an id's embedding beside side features, as a multiple of theirs."""


@dataclass(frozen=True)
class StartInputs:
    """What a start may use.

    Attributes:
        interactions: the training rows, all within the catalogue.
        num_users: size of the catalogue.
        num_items: likewise.
        config: section `model`.
        seed: the seed of params.yaml.
        threads: of linear algebra; another number gives slightly different results.
        decompositions: folder that caches decompositions; None: no cache.
        device: of torch, where decompositions and regressions are computed.
    """

    interactions: Interactions
    num_users: int
    num_items: int
    config: ModelConfig
    seed: int
    threads: int = 1
    decompositions: Path | None = None
    device: str = "cpu"

    @cached_property
    def history(self) -> History:
        """Of the training rows; computed when first used, because it sorts them."""
        return History.of(self.interactions, self.num_users, self.num_items, self.config)


def random_start(model: TwoTower, inputs: StartInputs) -> None:
    """Draw all parameters from one generator.

    Embeddings start at a mean squared length of 1, or with elements of SEQUENCE_STD for a sequence
    tower; those of ids beside side features at ID_LENGTH times that length: a few rows hardly move
    an id, and its random start would drown out what its features say. Ids without a training row
    start at 0.

    Args:
        model: changed in place.
        inputs: the seed and the training rows are used.
    """
    generator = torch.Generator().manual_seed(derive_seed(inputs.seed, "initialise"))
    rows = inputs.interactions
    std = model.item_tower.dim**-0.5 if model.encoder is None else SEQUENCE_STD
    _draw(model.user_tower, _seen(rows.user_idx, inputs.num_users), std, generator)
    _draw(model.item_tower, _seen(rows.item_idx, inputs.num_items), std, generator)
    if model.encoder is not None:
        model.encoder.draw(std, generator)


def spectral_start(model: TwoTower, inputs: StartInputs) -> None:
    """Start at the truncated decomposition of the interactions, see `spectral`."""
    items = _spectral(inputs)
    _start_at(model, items, inputs, in_history=items)


def ridge_start(model: TwoTower, inputs: StartInputs) -> None:
    """Start at the users of the decomposition and the items regressed on them, see `ridge`."""
    in_history = _spectral(inputs)
    items = ridge_items(
        in_history,
        inputs.history,
        inputs.config,
        threads=inputs.threads,
        device=inputs.device,
    )
    _start_at(model, items, inputs, in_history)


def _draw(tower: Tower, seen: Tensor, scale: float, generator: torch.Generator) -> None:
    """Draw the parameters of one tower.

    Args:
        tower: changed in place.
        seen: [num_entities] bool, whether the entity has a training row.
        scale: standard deviation of the elements of an embedding.
        generator: the only source of randomness.
    """
    ids = tower.id_embedding.weight if tower.id_embedding is not None else None
    for name, parameter in tower.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif name.startswith("layers."):
            nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
        else:
            beside_features = tower.has_features and parameter is ids
            std = ID_LENGTH * scale if beside_features else scale
            nn.init.normal_(parameter, 0.0, std, generator=generator)
    if ids is not None:
        with torch.no_grad():
            ids[~seen] = 0.0


def _seen(idx: Int64Array, count: int) -> Tensor:
    return torch.from_numpy(np.bincount(idx, minlength=count) > 0)


def _spectral(inputs: StartInputs) -> Float32Array:
    return spectral_items(
        inputs.history,
        inputs.config,
        seed=derive_seed(inputs.seed, "spectral"),
        threads=inputs.threads,
        folder=inputs.decompositions,
        device=inputs.device,
    )


@torch.no_grad()
def _start_at(
    model: TwoTower, items: Float32Array, inputs: StartInputs, in_history: Float32Array
) -> None:
    """Start at given item vectors, and at the users that the items of their histories pool to.

    An item without rows has the vector that its side features make likely, see `content`. Those of
    users add nothing at the start, nor, beside a pooled history, does the user's id.

    Args:
        model: without hidden layers; changed in place.
        items: [num_items, dim] float32.
        inputs: the training rows and their history are used.
        in_history: [num_items, dim] float32 vectors of the items in a history; `items` where the
            model has no table for them.
    """
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    table = model.item_tower.id_embedding
    if table is None or model.item_tower.layers:
        msg = "only embeddings of ids can start at given vectors"
        raise ValueError(msg)
    _start_items(model, table, items, inputs)
    if model.history_embedding is not None:
        model.history_embedding.weight.copy_(torch.from_numpy(in_history))
    users = model.user_tower.id_embedding
    if users is not None and not model.pools_history:
        users.weight.copy_(torch.from_numpy(_pooled(in_history, inputs)))


def _start_items(
    model: TwoTower, ids: nn.Embedding, items: Float32Array, inputs: StartInputs
) -> None:
    """Set embeddings of ids so that items with rows have their vectors, whatever features add.

    Features say less than rows, which only the length of a vector can tell: for the cosine, where
    it would rank items without rows too high, they add nothing.

    Args:
        model: whose parameters are all 0; changed in place.
        ids: of the item tower.
        items: [num_items, dim] float32.
        inputs: the training rows.
    """
    tower = model.item_tower.eval()  # without dropout
    seen = _seen(inputs.interactions.item_idx, inputs.num_items)
    if not model.normalise:
        fit_encoders(tower.encoders(), items, seen.numpy(), threads=inputs.threads)
    for _ in range(2):  # the second time for what was lost to rounding
        missing = torch.from_numpy(items) - tower(torch.arange(inputs.num_items))
        ids.weight[seen] += missing[seen]


def _pooled(items: Float32Array, inputs: StartInputs) -> Float32Array:
    """[num_users, dim] pooled histories, of mean length 1."""
    lists = inputs.history.lists
    arrays = items, lists.items, inputs.history.pooling, lists.offsets[:-1]
    moved = (torch.from_numpy(array).to(inputs.device) for array in arrays)
    return unit_mean_length(pool(*moved).cpu().numpy())
