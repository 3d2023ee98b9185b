"""The user tower and the item tower."""

import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twotower.config.training import ModelConfig
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.data.prepared import Catalogue

VECTOR_BLOCK = 4096
"""Entities encoded at a time. Constant, because the shape of a product can change its bits."""


class Tower(nn.Module):
    """Sum of the embeddings of an entity's id and side features, then optional hidden layers.

    Side features of an entity whose id training never saw are all that is known of it: its id
    embedding is zero and stays so.

    Source of the sum: Kula, "Metadata embeddings for user and item cold-start", 2015.
    """

    def __init__(self, num_entities: int, features: Features, config: ModelConfig) -> None:
        super().__init__()
        self.dim = dim = config.dim
        self.id_embedding = nn.Embedding(num_entities, dim, sparse=True)
        self.feature_embeddings = nn.ModuleDict()
        numeric = []
        for position, (_, column) in enumerate(sorted(features.columns.items())):
            match column:
                case Categorical():
                    self._add(position, nn.Embedding(len(column.categories) + 1, dim))
                    self._buffer(f"codes_{position}", column.codes)
                case MultiValued():
                    size = len(column.categories) + 1
                    self._add(position, nn.EmbeddingBag(size, dim, mode="mean"))
                    self._buffer(f"codes_{position}", column.codes)
                    self._buffer(f"offsets_{position}", column.offsets)
                case Numeric():
                    numeric.append(column.values)
        self.numeric = nn.Linear(len(numeric), dim, bias=False) if numeric else None
        self._buffer("numeric_values", np.stack(numeric, axis=1) if numeric else np.empty((0, 0)))
        widths = [dim, *config.hidden, dim] if config.hidden else []
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def _add(self, position: int, module: nn.Module) -> None:
        # Feature names may hold dots, which torch forbids in names of modules.
        self.feature_embeddings[str(position)] = module

    def _buffer(self, name: str, values: NDArray[Any]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:
        """[batch] int64 entity indices to [batch, dim] float32 vectors, not normalised."""
        total: Tensor = self.id_embedding(idx)
        for position, embedding in self.feature_embeddings.items():
            codes = self.get_buffer(f"codes_{position}")
            if isinstance(embedding, nn.EmbeddingBag):
                total = total + embedding(
                    *_bags(codes, self.get_buffer(f"offsets_{position}"), idx)
                )
            else:
                total = total + embedding(codes[idx])
        if self.numeric is not None:
            total = total + self.numeric(self.get_buffer("numeric_values")[idx])
        for depth, layer in enumerate(self.layers):
            total = layer(total if depth == 0 else torch.relu(total))
        return total


def _bags(codes: Tensor, offsets: Tensor, idx: Tensor) -> tuple[Tensor, Tensor]:
    """Codes of the entities `idx`, one after another, and where each entity's begin."""
    counts = offsets[idx + 1] - offsets[idx]
    ends = counts.cumsum(0)
    starts = ends - counts
    shift = torch.repeat_interleave(offsets[idx] - starts, counts)
    return codes[torch.arange(len(shift), device=idx.device) + shift], starts


class TwoTower(nn.Module):
    """Two towers whose vectors are compared by inner product, or by cosine."""

    def __init__(self, catalogue: Catalogue, config: ModelConfig) -> None:
        super().__init__()
        users, items = catalogue.users, catalogue.items
        nothing = Features()
        self.user_tower = Tower(len(users), users.features if config.features else nothing, config)
        self.item_tower = Tower(len(items), items.features if config.features else nothing, config)
        self.normalise = config.similarity == "cosine"

    def queries(self, user_idx: Tensor) -> Tensor:
        """[batch] user indices to [batch, dim] vectors, of length 1 if compared by cosine."""
        return self._finish(self.user_tower(user_idx))

    def candidates(self, item_idx: Tensor) -> Tensor:
        """[batch] item indices to [batch, dim] vectors, of length 1 if compared by cosine."""
        return self._finish(self.item_tower(item_idx))

    def _finish(self, vectors: Tensor) -> Tensor:
        return nn.functional.normalize(vectors, dim=1) if self.normalise else vectors

    @torch.no_grad()
    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """User vectors [num_users, dim] and item vectors [num_items, dim].

        Their inner products rank the items: for the cosine the vectors have length 1, and the
        temperature, which changes no order, is left out.
        """
        return _encode_all(self.queries, self.user_tower), _encode_all(
            self.candidates, self.item_tower
        )


def _encode_all(encode: Any, tower: Tower) -> NDArray[np.float32]:
    weight = tower.id_embedding.weight
    blocks = torch.split(torch.arange(len(weight), device=weight.device), VECTOR_BLOCK)
    vectors: NDArray[np.float32] = torch.cat([encode(block) for block in blocks]).cpu().numpy()
    return vectors


def initialise(model: TwoTower, seen_users: Tensor, seen_items: Tensor, seed: int) -> None:
    """Draw all parameters anew from one seed.

    Args:
        model: changed in place.
        seen_users: [num_users] bool, whether training sees the user; others start at zero.
        seen_items: [num_items] bool, likewise.
        seed: of the only generator that is used.
    """
    generator = torch.Generator().manual_seed(seed)
    for tower, seen in ((model.user_tower, seen_users), (model.item_tower, seen_items)):
        scale = tower.dim**-0.5
        for name, parameter in tower.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.startswith("layers."):
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
            else:
                nn.init.normal_(parameter, 0.0, scale, generator=generator)
        with torch.no_grad():
            tower.id_embedding.weight[~seen] = 0.0
