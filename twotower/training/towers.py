"""The user tower and the item tower."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twotower.common.arrays import Float32Array
from twotower.config.training import ModelConfig
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.data.interactions import ItemLists
from twotower.data.prepared import Catalogue
from twotower.training.history import History, unit_mean_length

VECTOR_BLOCK = 4096
"""Entities encoded at a time. Constant, because the shape of a product can change its bits."""
ID_START = 0.1
"""Length at which an id's embedding starts beside side features, which start at 1."""


class Tower(nn.Module):
    """Sum of the embeddings of an entity's id and side features, then optional hidden layers.

    Side features of an entity whose id training never saw are all that is known of it: its id
    embedding is zero and stays so.

    Source of the sum: Kula, "Metadata embeddings for user and item cold-start", 2015.
    """

    def __init__(
        self, num_entities: int, features: Features, config: ModelConfig, *, use_id: bool
    ) -> None:
        super().__init__()
        self.dim = dim = config.width
        self.num_entities = num_entities
        self.dropout = config.dropout
        self.id_embedding = nn.Embedding(num_entities, dim, sparse=True) if use_id else None
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
        self.has_features = bool(features.columns)
        known = use_id or self.has_features
        widths = [dim, *config.hidden, dim] if config.hidden and known else []
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def _add(self, position: int, module: nn.Module) -> None:
        # Feature names may hold dots, which torch forbids in names of modules.
        self.feature_embeddings[str(position)] = module

    def _buffer(self, name: str, values: NDArray[Any]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:
        """[batch] int64 entity indices to [batch, dim] float32 vectors, not normalised."""
        total: Tensor = torch.zeros((), device=idx.device)
        if self.id_embedding is not None:
            total = self.id_embedding(idx)
        for position, embedding in self.feature_embeddings.items():
            codes = self.get_buffer(f"codes_{position}")
            if isinstance(embedding, nn.EmbeddingBag):
                places, starts = _bags(self.get_buffer(f"offsets_{position}"), idx)
                total = total + embedding(codes[places], starts)
            else:
                total = total + embedding(codes[idx])
        if self.numeric is not None:
            total = total + self.numeric(self.get_buffer("numeric_values")[idx])
        if self.dropout:
            total = nn.functional.dropout(total, self.dropout, self.training)
        for depth, layer in enumerate(self.layers):
            total = layer(total if depth == 0 else torch.relu(total))
        return total.expand(len(idx), self.dim)


def _bags(offsets: Tensor, idx: Tensor) -> tuple[Tensor, Tensor]:
    """Places of the values of the entities `idx`, one after another, and where each's begin.

    Args:
        offsets: [num_entities + 1] int64; values of entity i are at offsets[i]..offsets[i + 1] - 1.
        idx: [batch] int64.
    """
    counts = offsets[idx + 1] - offsets[idx]
    ends = counts.cumsum(0)
    starts = ends - counts
    shift = torch.repeat_interleave(offsets[idx] - starts, counts)
    return torch.arange(len(shift), device=idx.device) + shift, starts


class TwoTower(nn.Module):
    """Two towers whose vectors are compared by inner product, or by cosine.

    A user tower with history adds to what it knows of the user the weighted sum of vectors of the
    user's items: the item tower's, or with `init: ridge` those of a table of its own.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        config: ModelConfig,
        history: History | None = None,
        popularity: Float32Array | None = None,
    ) -> None:
        """Build the towers, with torch's own random start.

        Args:
            catalogue: users and items.
            config: section `model`.
            history: of the training rows; needed by a user tower with history.
            popularity: [num_items] what each item's adds to its scores (`popularity_addend`), for a
                model with `popularity_weight`; None: 0.
        """
        super().__init__()
        users, items = catalogue.users, catalogue.items
        nothing = Features()
        self.user_tower = Tower(
            len(users),
            users.features if config.features else nothing,
            config,
            use_id=config.user_tower != "history",
        )
        self.item_tower = Tower(
            len(items),
            items.features if config.features else nothing,
            config,
            use_id=config.item_tower != "features",
        )
        self.normalise = config.similarity == "cosine"
        self.pools_history = config.user_tower != "id"
        if self.pools_history:
            if history is None:
                msg = "a user tower with history needs the history"
                raise ValueError(msg)
            self.register_buffer("history_offsets", torch.from_numpy(history.lists.offsets))
            self.register_buffer("history_items", torch.from_numpy(history.lists.items))
            self.register_buffer("history_pooling", torch.from_numpy(history.pooling))
            self.register_buffer("history_item_pooling", torch.from_numpy(history.item_pooling))
        own_table = self.pools_history and config.init == "ridge"
        self.history_embedding = (
            nn.Embedding(len(items), config.width, sparse=True) if own_table else None
        )
        self.adds_popularity = config.popularity_weight > 0
        if self.adds_popularity:
            zeros = torch.zeros(len(items))
            start = zeros if popularity is None else torch.from_numpy(popularity)
            self.register_buffer("popularity", start)

    def forward(
        self, user_idx: Tensor, item_idx: Tensor, pair_idx: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Vectors of training rows, before `finish`.

        Args:
            user_idx: [batch] int64.
            item_idx: [batch + extra] int64; the first are the positives of the rows.
            pair_idx: [batch] int64 place of each row's pair in the history, needed where users
                have one: a row's own item is left out of what its user is known by.

        Returns:
            [batch, dim] and [batch + extra, dim].
        """
        query = self.user_tower(user_idx)
        if not self.pools_history:
            return query, self.item_tower(item_idx)
        items, pooling, starts = self._bags_of(user_idx)
        distinct, place = _distinct(torch.cat([item_idx, items]), self.item_tower.num_entities)
        vectors = self.item_tower(distinct)
        candidate = vectors[place[: len(item_idx)]]
        positive = candidate[: len(query)]
        if self.history_embedding is not None:
            vectors = self.history_embedding(distinct)
            positive = vectors[place[: len(query)]]
        pooled = _pool(vectors, place[len(item_idx) :], pooling, starts)
        own = self.get_buffer("history_pooling")[pair_idx].unsqueeze(1)
        return query + pooled - own * positive, candidate

    def _bags_of(self, user_idx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Items of each user's history, their pooling, and where each user's begin."""
        places, starts = _bags(self.get_buffer("history_offsets"), user_idx)
        items, pooling = self.get_buffer("history_items"), self.get_buffer("history_pooling")
        return items[places], pooling[places], starts

    def _in_history(self, items: Tensor) -> Tensor:
        """[num_items, dim] vectors of the items in a history, given those of the item tower."""
        return items if self.history_embedding is None else self.history_embedding.weight

    def finish(self, vectors: Tensor) -> Tensor:
        """[count, dim] vectors as they are compared: of length 1 for the cosine."""
        return nn.functional.normalize(vectors, dim=1) if self.normalise else vectors

    @torch.no_grad()
    def vectors(self) -> tuple[Float32Array, Float32Array]:
        """User vectors [num_users, dim] and item vectors [num_items, dim].

        Their inner products rank the items: for the cosine the vectors have length 1, and the
        temperature, which changes no order, is left out. With `popularity_weight` the last
        dimension is the popularity of an item, and 1 for a user of whom something is known.
        """
        items = _encode_all(self.item_tower, self.item_tower)
        in_history = self._in_history(items)

        def queries(user_idx: Tensor) -> Tensor:
            known = self.user_tower(user_idx)
            pooled = _pool(in_history, *self._bags_of(user_idx)) if self.pools_history else 0.0
            return self.finish(known + pooled)

        users, items = _encode_all(queries, self.user_tower), self.finish(items)
        if self.adds_popularity:
            known = users.any(dim=1, keepdim=True).to(users.dtype)
            users = torch.cat([users, known], dim=1)
            items = torch.cat([items, self.get_buffer("popularity").unsqueeze(1)], dim=1)
        return users.cpu().numpy(), items.cpu().numpy()

    @torch.no_grad()
    def history_item_vectors(self) -> Float32Array | None:
        """[num_items, dim] what each item adds to a user; None if the tower pools no history.

        A new user's vector, but for side features, is their sum over the user's n items, each
        times (1 - history_decay) ** (items after it), divided by n ** user_exponent, and then
        `finish`. Where the last dimension is the popularity, it is 0.
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
    history = None
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
    model = TwoTower(catalogue, config, history)
    model.load_state_dict(dict(weights))
    return model.eval()


def _pool(vectors: Tensor, places: Tensor, pooling: Tensor, starts: Tensor) -> Tensor:
    """[num_bags, dim] weighted sums of rows of `vectors`; 0 for an empty bag."""
    return nn.functional.embedding_bag(
        places, vectors, starts, mode="sum", per_sample_weights=pooling
    )


def _distinct(idx: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The distinct values of `idx`, all below `count`, ascending, and the place of each element."""
    present = torch.zeros(count, dtype=torch.bool, device=idx.device)
    present[idx] = True
    distinct = present.nonzero().squeeze(1)
    place = torch.empty(count, dtype=torch.int64, device=idx.device)
    place[distinct] = torch.arange(len(distinct), device=idx.device)
    return distinct, place[idx]


def _encode_all(encode: Callable[[Tensor], Tensor], tower: Tower) -> Tensor:
    device = tower.get_buffer("numeric_values").device
    blocks = torch.split(torch.arange(tower.num_entities, device=device), VECTOR_BLOCK)
    return torch.cat([encode(block) for block in blocks])


def initialise(model: TwoTower, seen_users: Tensor, seen_items: Tensor, seed: int) -> None:
    """Draw all parameters anew from one seed.

    Embeddings start at a mean squared length of 1, but those of ids beside side features at the
    length ID_START: a few rows hardly move an id, and what it drew by chance would hide what its
    features say.

    Args:
        model: changed in place.
        seen_users: [num_users] bool, whether training sees the user; others start at zero.
        seen_items: [num_items] bool, likewise.
        seed: of the only generator that is used.
    """
    generator = torch.Generator().manual_seed(seed)
    for tower, seen in ((model.user_tower, seen_users), (model.item_tower, seen_items)):
        scale = tower.dim**-0.5
        ids = tower.id_embedding.weight if tower.id_embedding is not None else None
        for name, parameter in tower.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.startswith("layers."):
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
            else:
                beside = tower.has_features and parameter is ids
                std = ID_START * scale if beside else scale
                nn.init.normal_(parameter, 0.0, std, generator=generator)
        if ids is not None:
            with torch.no_grad():
                ids[~seen] = 0.0


@torch.no_grad()
def start_at(
    model: TwoTower,
    items: Float32Array,
    history: History,
    in_history: Float32Array,
) -> None:
    """Start at given item vectors, and at the users that the items of their histories pool to.

    Side features add nothing at the start. Beside a pooled history, so does the user's id.

    Args:
        model: without hidden layers; changed in place.
        items: [num_items, dim] float32.
        history: of the training rows.
        in_history: [num_items, dim] float32 vectors of the items in a history; `items` where the
            model has no table for them.
    """
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    table = model.item_tower.id_embedding
    if table is None or model.item_tower.layers:
        msg = "only embeddings of ids can start at given vectors"
        raise ValueError(msg)
    table.weight.copy_(torch.from_numpy(items))
    if model.history_embedding is not None:
        model.history_embedding.weight.copy_(torch.from_numpy(in_history))
    users = model.user_tower.id_embedding
    if users is not None and not model.pools_history:
        users.weight.copy_(torch.from_numpy(_pooled(in_history, history)))


def _pooled(items: Float32Array, history: History) -> Float32Array:
    """[num_users, dim] pooled histories, of mean length 1."""
    lists = history.lists
    arrays = torch.from_numpy(lists.items), torch.from_numpy(history.pooling)
    users = _pool(torch.from_numpy(items), *arrays, torch.from_numpy(lists.offsets[:-1])).numpy()
    return unit_mean_length(users)
