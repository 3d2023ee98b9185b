"""Items that came after training: what a trained item tower says of them, by their features."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twotower.common.arrays import Float32Array
from twotower.common.errors import RequestError
from twotower.config.training import ModelConfig
from twotower.data.features import Features
from twotower.data.prepared import Catalogue
from twotower.training.tower import Tower
from twotower.training.towers import TwoTower, load_towers


@dataclass(frozen=True)
class NewVectors:
    """Vectors of new items.

    Attributes:
        items: [num_new, dim] float32, as `TwoTower.vectors` has them.
        in_history: [num_new, dim] float32, as `TwoTower.history_item_vectors` has them; None
            without a pooled history.
    """

    items: Float32Array
    in_history: Float32Array | None


@torch.no_grad()
def encode_new_items(
    model: TwoTower, features: Features, count: int, config: ModelConfig
) -> NewVectors:
    """Vectors of items without training rows, as training leaves those: without a part of the id.

    An item counts as the rarest one that has training rows, in its popularity and in histories.
    Where histories have a table of their own, which knows nothing of features, it adds nothing to
    them.

    Args:
        model: trained, on the CPU.
        features: of the new items, see `Features.encode_more`.
        count: number of new items.
        config: section `model`, which the model was built with.

    Raises:
        RequestError: if the item tower says nothing of features.
    """
    check_reads_features(model)
    tower = Tower(count, features, config, use_id=False).eval()
    weights = model.item_tower.state_dict().items()
    tower.load_state_dict({name: value for name, value in weights if "id_embedding" not in name})
    raw: Tensor = tower(torch.arange(count))
    items, in_history = model.finish(raw), None
    if model.pools_history:
        known = raw if model.history_embedding is None else torch.zeros_like(raw)
        in_history = known * _rarest(model, "history_item_pooling")
    if model.adds_popularity:
        popularity = _rarest(model, "popularity").expand(count, 1)
        items = torch.cat([items, popularity], dim=1)
        in_history = None if in_history is None else nn.functional.pad(in_history, (0, 1))
    return NewVectors(items.numpy(), None if in_history is None else in_history.numpy())


def check_reads_features(model: TwoTower) -> None:
    """Require an item tower that has learnt something of the items' features.

    Raises:
        RequestError: saying which settings make one.
    """
    tower = model.item_tower
    if not tower.has_features:
        msg = (
            "the model's item tower reads no side features, so that it knows nothing of new items; "
            "a model with data.items.features, model.features: true and model.item_tower: both "
            "(or features) does"
        )
        raise RequestError(msg)
    if not any(parameter.any() for parameter in _encoder_parameters(tower)):
        msg = (
            "side features add nothing to the vectors of this model's items, so that it knows "
            "nothing of new items: its start sets ids alone (model.init), and it was not trained "
            "from there (train.epochs: 0)"
        )
        raise RequestError(msg)


def with_more_items(model: TwoTower, catalogue: Catalogue, config: ModelConfig) -> TwoTower:
    """The same towers for a catalogue that has new items at its end; see `encode_new_items`."""
    count = len(catalogue.items) - model.item_tower.num_entities
    weights = model.state_dict()
    for name in ("item_tower.id_embedding.weight", "history_embedding.weight"):
        if name in weights:
            weights[name] = nn.functional.pad(weights[name], (0, 0, 0, count))
    for name in ("history_item_pooling", "popularity"):
        if name in weights:
            weights[name] = torch.cat([weights[name], _rarest(model, name).expand(count)])
    return load_towers(catalogue, config, weights)


def _rarest(model: TwoTower, name: str) -> Tensor:
    """What a buffer of the model has for the rarest item with training rows, as [1] float32."""
    values = model.get_buffer(name)
    if not len(values):
        return torch.zeros(1)
    # Pooling falls with an item's total, and is 0 without one; popularity rises with it.
    return (values.max() if name == "history_item_pooling" else values.min()).reshape(1)


def _encoder_parameters(tower: Tower) -> Iterator[nn.Parameter]:
    yield from tower.feature_embeddings.parameters()
    for kind in tower.shared_encoders:
        yield from tower.get_submodule(kind).parameters()
