"""Vectors of new items by torch, where onnxruntime is not installed."""

import torch
from torch import Tensor

from twotower.common.arrays import Float32Array
from twotower.config.training import ModelConfig
from twotower.data.features import Features
from twotower.onnx.towers import rarest
from twotower.training.tower import Tower
from twotower.training.towers import TwoTower


@torch.no_grad()
def encode_by_torch(
    model: TwoTower, features: Features, count: int, config: ModelConfig
) -> tuple[Float32Array, Float32Array | None]:
    """See `OnnxTowers.new_items`.

    Args:
        model: trained, on the CPU.
        features: of the new items, see `Features.encode_more`.
        count: number of new items.
        config: section `model`, which the model was built with.
    """
    tower = Tower(count, features, config, use_id=False).eval()
    weights = model.item_tower.state_dict().items()
    tower.load_state_dict({name: value for name, value in weights if "id_embedding" not in name})
    raw: Tensor = tower(torch.arange(count))
    items, in_history = model.finish(raw), None
    if model.pools_history:
        known = raw if model.history_embedding is None else torch.zeros_like(raw)
        in_history = (known * _rarest(model, "history_item_pooling")).numpy()
    if model.adds_popularity:
        popularity = torch.full((count, 1), _rarest(model, "popularity"))
        items = torch.cat([items, popularity], dim=1)
    return items.numpy(), in_history


def _rarest(model: TwoTower, name: str) -> float:
    return float(rarest(name, model.get_buffer(name).numpy()))
