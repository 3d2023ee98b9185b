"""One tower: the vector of an entity from its id and side features."""

import itertools
from typing import cast

import torch
from torch import Tensor, nn

from twotower.config.training import ModelConfig
from twotower.data.feature import Feature
from twotower.data.features import Features
from twotower.training.encoders import COLUMN_ENCODERS, SHARED_ENCODERS, Encoder


class Tower(nn.Module):
    """Sum of the embeddings of an entity's id and side features, then optional hidden layers.

    An id without training rows has a zero embedding, so that such an entity is described by its
    side features alone.

    Source of the sum: Kula, "Metadata embeddings for user and item cold-start", 2015.
    """

    def __init__(
        self, num_entities: int, features: Features, config: ModelConfig, *, use_id: bool
    ) -> None:
        super().__init__()
        self.dim = dim = config.width
        self.num_entities = num_entities
        # A sequence tower drops parts of its own input instead; candidates stay whole.
        self.dropout = 0.0 if config.reads_sequence else config.dropout
        self.id_embedding = nn.Embedding(num_entities, dim, sparse=True) if use_id else None
        self.feature_embeddings = nn.ModuleDict()
        self.shared_encoders: list[str] = []
        self._add_encoders(features)
        self.register_buffer("origin", torch.zeros(()), persistent=False)
        self.has_features = bool(features.columns)
        has_inputs = use_id or self.has_features
        widths = [dim, *config.hidden, dim] if config.hidden and has_inputs else []
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def _add_encoders(self, features: Features) -> None:
        """Add the encoders of all features; saved weights rely on their names."""
        shared: dict[str, list[Feature]] = {}
        for position, (_, column) in enumerate(sorted(features.columns.items())):
            if column.name in SHARED_ENCODERS:
                shared.setdefault(column.name, []).append(column)
            else:  # not under the feature's name: torch forbids dots in names of modules
                encoder = COLUMN_ENCODERS[column.name](column, self.dim)
                self.feature_embeddings[str(position)] = encoder
        for kind, columns in shared.items():
            self.add_module(kind, SHARED_ENCODERS[kind](columns, self.dim))
            self.shared_encoders.append(kind)

    def encoders(self) -> list[Encoder]:
        """Of all side features, in the order in which they are added."""
        shared = (self.get_submodule(kind) for kind in self.shared_encoders)
        return cast(list[Encoder], [*self.feature_embeddings.values(), *shared])

    def forward(self, idx: Tensor) -> Tensor:
        """[batch] int64 entity indices to [batch, dim] float32 vectors, not normalised."""
        total = self.get_buffer("origin") if self.id_embedding is None else self.id_embedding(idx)
        for encoder in self.encoders():
            total = total + encoder(idx)
        if self.dropout:
            total = nn.functional.dropout(total, self.dropout, self.training)
        for depth, layer in enumerate(self.layers):
            total = layer(total if depth == 0 else torch.relu(total))
        return total.expand(len(idx), self.dim)
