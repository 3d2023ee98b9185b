"""The user tower and the item tower."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from twotower.common.arrays import Float32Array, Int64Array
from twotower.config.training import ModelConfig
from twotower.config.training_choices import STARTS
from twotower.data.features import Features
from twotower.data.interactions import ItemLists
from twotower.data.prepared import Catalogue
from twotower.training.encoders import bags
from twotower.training.history import History
from twotower.training.sequence_encoder import SequenceEncoder
from twotower.training.sequences import Sequences
from twotower.training.tower import Tower
from twotower.training.unit_length import unit_length

VECTOR_BLOCK = 4096
"""Entities encoded at a time. Constant, because the shape of a product can change its bits."""
SEQUENCE_BLOCK = 2**16
"""Positions of sequences encoded at a time, likewise: about 200 MB of 128 dimensions."""


class TwoTower(nn.Module):
    """Two towers whose vectors are compared by inner product, or by cosine.

    A user tower with history adds the weighted sum of the vectors of the user's items: those of the
    item tower, or of a separate table (`Start.own_history_table`). A sequence tower reads the item
    tower's vectors of the user's last items.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        config: ModelConfig,
        history: History | None = None,
        popularity: Float32Array | None = None,
        sequences: Sequences | None = None,
    ) -> None:
        """Build the towers, with torch's default initialisation.

        Args:
            catalogue: users and items.
            config: section `model`.
            history: of the training rows; required by a user tower with history.
            popularity: [num_items] what is added to each item's scores (`popularity_addend`) if
                `popularity_weight` is above 0; None: 0.
            sequences: of the training rows; required by a sequence tower.
        """
        super().__init__()
        users, items = catalogue.users, catalogue.items
        nothing = Features()
        self.user_tower = Tower(
            len(users),
            users.features if config.features else nothing,
            config,
            use_id=config.user_tower in {"id", "both"},
        )
        self.item_tower = Tower(
            len(items),
            items.features if config.features and config.item_tower != "id" else nothing,
            config,
            use_id=config.item_tower != "features",
        )
        self.normalise = config.similarity == "cosine"
        self.pools_history = config.pools_history
        if self.pools_history:
            if history is None:
                msg = f"user_tower: {config.user_tower} requires the history of the training rows"
                raise ValueError(msg)
            self.register_buffer("history_offsets", torch.from_numpy(history.lists.offsets))
            self.register_buffer("history_items", torch.from_numpy(history.lists.items))
            self.register_buffer("history_pooling", torch.from_numpy(history.pooling))
            self.register_buffer("history_item_pooling", torch.from_numpy(history.item_pooling))
        self.encoder: SequenceEncoder | None = None
        if config.reads_sequence:
            self._add_encoder(config, sequences)
        own_table = self.pools_history and STARTS[config.init].own_history_table
        self.history_embedding = (
            nn.Embedding(len(items), config.width, sparse=True) if own_table else None
        )
        self.adds_popularity = config.popularity_weight > 0
        if self.adds_popularity:
            zeros = torch.zeros(len(items))
            start = zeros if popularity is None else torch.from_numpy(popularity)
            self.register_buffer("popularity", start)

    def _add_encoder(self, config: ModelConfig, sequences: Sequences | None) -> None:
        if sequences is None:
            msg = "user_tower: sequence requires the sequences of the training rows"
            raise ValueError(msg)
        self.encoder = SequenceEncoder(
            config.width,
            config.sequence_length,
            config.sequence_blocks,
            config.sequence_heads,
            config.dropout,
        )
        self.sequence_length = config.sequence_length
        latest = sequences.latest(config.sequence_length).lists
        self.register_buffer("sequence_offsets", torch.from_numpy(latest.offsets))
        self.register_buffer("sequence_items", torch.from_numpy(latest.items))

    def forward(
        self, user_idx: Tensor, item_idx: Tensor, pair_idx: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Vectors of a batch of training rows, before `finish`.

        Args:
            user_idx: [batch] int64.
            item_idx: [batch + extra] int64; the positives of the rows come first.
            pair_idx: [batch] int64 position of each row's pair in the history; required if the
                user tower pools it: a row's own item is excluded from its user's history.

        Returns:
            [batch, dim] and [batch + extra, dim].
        """
        query = self.user_tower(user_idx)
        if not self.pools_history:
            return query, self.item_tower(item_idx)
        items, pooling, starts = self._bags_of(user_idx)
        distinct, position = _distinct(torch.cat([item_idx, items]), self.item_tower.num_entities)
        vectors = self.item_tower(distinct)
        candidate = vectors[position[: len(item_idx)]]
        positive = candidate[: len(query)]
        if self.history_embedding is not None:
            vectors = self.history_embedding(distinct)
            positive = vectors[position[: len(query)]]
        pooled = pool(vectors, position[len(item_idx) :], pooling, starts)
        own = self.get_buffer("history_pooling")[pair_idx].unsqueeze(1)
        return query + pooled - own * positive, candidate

    def states(
        self, user_idx: Tensor, inputs: Tensor, lengths: Tensor, item_idx: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Vectors of the users of a sequence tower as they go along, before `finish`.

        Args:
            user_idx: [batch] int64.
            inputs: [batch, longest] int64 items of each user, padded at the end with any item.
            lengths: [batch] int64 items of each user.
            item_idx: [count] int64 candidates.

        Returns:
            [batch, longest + 1, dim] vector before the first item and after each, and [count, dim]
            of the candidates.
        """
        every = torch.cat([item_idx, inputs.flatten()])
        distinct, position = _distinct(every, self.item_tower.num_entities)
        vectors = self.item_tower(distinct)
        candidate = nn.functional.embedding(position[: len(item_idx)], vectors)
        items = nn.functional.embedding(position[len(item_idx) :].view(inputs.shape), vectors)
        return self._encode(self.user_tower(user_idx), items, lengths), candidate

    def _encode(self, user: Tensor, items: Tensor, lengths: Tensor) -> Tensor:
        if self.encoder is None:
            msg = "only a sequence tower reads sequences"
            raise ValueError(msg)
        vectors: Tensor = self.encoder(user, items, lengths)
        return vectors

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.item_tower.get_buffer("origin").device

    def _bags_of(self, user_idx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Items of each user's history, their pooling weights, and where each user's begin."""
        positions, starts = bags(self.get_buffer("history_offsets"), user_idx)
        items, pooling = self.get_buffer("history_items"), self.get_buffer("history_pooling")
        return items[positions], pooling[positions], starts

    def _in_history(self, items: Tensor) -> Tensor:
        """[num_items, dim] vectors with which items enter a history.

        Args:
            items: [num_items, dim] vectors of the item tower.
        """
        return items if self.history_embedding is None else self.history_embedding.weight

    def finish(self, vectors: Tensor) -> Tensor:
        """[count, dim] vectors as they are compared: L2-normalised for the cosine."""
        return unit_length(vectors) if self.normalise else vectors

    @torch.no_grad()
    def vectors(self) -> tuple[Float32Array, Float32Array]:
        """User vectors [num_users, dim] and item vectors [num_items, dim].

        Items are ranked by their inner products. For the cosine the vectors are L2-normalised; the
        temperature is not applied, since it does not change the order. With `popularity_weight` the
        last dimension holds an item's popularity, and 1 for each user whose vector is not zero.
        """
        items = _encode_all(self.item_tower, self.item_tower)
        in_history = self._in_history(items)

        def queries(user_idx: Tensor) -> Tensor:
            own = self.user_tower(user_idx)
            if self.encoder is not None:
                return self.finish(self._last_states(own, items, *self._sequences_of(user_idx)))
            pooled = pool(in_history, *self._bags_of(user_idx)) if self.pools_history else 0.0
            return self.finish(own + pooled)

        block = VECTOR_BLOCK
        if self.encoder is not None:
            block = max(1, min(block, SEQUENCE_BLOCK // (self.sequence_length + 1)))
        users, items = _encode_all(queries, self.user_tower, block), self.finish(items)
        if self.adds_popularity:
            nonzero = users.any(dim=1, keepdim=True).to(users.dtype)
            users = torch.cat([users, nonzero], dim=1)
            items = torch.cat([items, self.get_buffer("popularity").unsqueeze(1)], dim=1)
        return users.cpu().numpy(), items.cpu().numpy()

    def _sequences_of(self, user_idx: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, longest] items of each user, padded at the end, and [batch] their number."""
        offsets, items = self.get_buffer("sequence_offsets"), self.get_buffer("sequence_items")
        lengths = offsets[user_idx + 1] - offsets[user_idx]
        steps = torch.arange(int(lengths.max()), device=lengths.device)
        positions = offsets[user_idx].unsqueeze(1) + steps
        return items[positions.clamp(max=len(items) - 1)], lengths

    def _last_states(self, user: Tensor, items: Tensor, inputs: Tensor, lengths: Tensor) -> Tensor:
        """[batch, dim] vectors after the last item.

        Args:
            user: [batch, dim] what is known of each user besides the items.
            items: [num_items, dim] vectors of the item tower.
            inputs: [batch, longest] int64.
            lengths: [batch] int64.
        """
        states = self._encode(user, items[inputs], lengths)
        last = states[torch.arange(len(lengths), device=lengths.device), lengths]
        # Of a user without items or side features nothing is known.
        known = (lengths > 0) | self.user_tower.has_features
        return last * known.unsqueeze(1)

    @torch.no_grad()
    def sequence_vectors(self, items: Int64Array) -> Float32Array:
        """[count, width] vectors of new users of a sequence tower, before `finish`.

        Args:
            items: [count, length] of the users, the latest last; the tower sees the last
                `sequence_length`.
        """
        device = self.device
        latest = torch.from_numpy(items[:, -self.sequence_length :].copy()).to(device)
        nobody = torch.zeros(len(latest), self.item_tower.dim, device=device)
        lengths = torch.full((len(latest),), latest.shape[1], device=device)
        inputs = self.item_tower(latest.flatten()).view(*latest.shape, -1)
        vectors: Float32Array = self._encode(nobody, inputs, lengths)[:, -1].cpu().numpy()
        return vectors

    @torch.no_grad()
    def history_item_vectors(self) -> Float32Array | None:
        """[num_items, dim] what each item adds to a user's vector; None without a pooled history.

        The vector of a new user, side features aside, is the sum of these over the user's n items,
        each multiplied by (1 - history_decay) ** (number of later items), divided by
        n ** user_exponent, then passed to `finish`. A dimension for the popularity is 0.
        """
        if not self.pools_history:
            return None
        in_history = self._in_history(_encode_all(self.item_tower, self.item_tower))
        pooled = in_history * self.get_buffer("history_item_pooling").unsqueeze(1)
        vectors: Float32Array = (
            nn.functional.pad(pooled, (0, int(self.adds_popularity))).cpu().numpy()
        )
        return vectors


def load_towers(
    catalogue: Catalogue, config: ModelConfig, weights: Mapping[str, Tensor]
) -> TwoTower:
    """The model whose `state_dict` is `weights`, on the CPU."""
    model = towers_for(catalogue, config, weights)
    model.load_state_dict(dict(weights))
    return model.eval()


def towers_for(
    catalogue: Catalogue, config: ModelConfig, weights: Mapping[str, Tensor]
) -> TwoTower:
    """A model that has the histories in `weights`, but none of its parameters yet."""
    history, sequences = None, None
    if "history_items" in weights:
        stored = {
            name: weights[f"history_{name}"].numpy()
            for name in ("offsets", "items", "pooling", "item_pooling")
        }
        history = History(
            ItemLists(stored["offsets"], stored["items"]),
            weight=np.ones_like(stored["pooling"]),
            pooling=stored["pooling"],
            item_pooling=stored["item_pooling"],
            pair_of_row=np.empty(0, np.int64),
            num_items=len(catalogue.items),
        )
    if "sequence_items" in weights:
        offsets, items = (weights[f"sequence_{name}"].numpy() for name in ("offsets", "items"))
        sequences = Sequences(ItemLists(offsets, items), np.ones(len(items), np.float32))
    return TwoTower(catalogue, config, history, sequences=sequences)


def pool(vectors: Tensor, idx: Tensor, pooling: Tensor, starts: Tensor) -> Tensor:
    """[num_bags, dim] weighted sums of rows of `vectors`; 0 for an empty bag."""
    return nn.functional.embedding_bag(idx, vectors, starts, mode="sum", per_sample_weights=pooling)


def _distinct(idx: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Distinct values of `idx`, ascending, and the position of each element among them.

    Args:
        idx: [n] int64, all below `count`.
        count: exclusive upper bound.
    """
    present = torch.zeros(count, dtype=torch.bool, device=idx.device)
    present[idx] = True
    distinct = present.nonzero().squeeze(1)
    position = torch.empty(count, dtype=torch.int64, device=idx.device)
    position[distinct] = torch.arange(len(distinct), device=idx.device)
    return distinct, position[idx]


def _encode_all(
    encode: Callable[[Tensor], Tensor], tower: Tower, block: int = VECTOR_BLOCK
) -> Tensor:
    device = tower.get_buffer("origin").device
    blocks = torch.split(torch.arange(tower.num_entities, device=device), block)
    return torch.cat([encode(block) for block in blocks])
