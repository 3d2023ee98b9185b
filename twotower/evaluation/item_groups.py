"""Groups of items by whether they have training rows, and the objectives that name one.

`config` reads objectives with it, so nothing here imports torch or pandas.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twotower.common.arrays import BoolArray
from twotower.common.choices import Table
from twotower.common.errors import ConfigError

if TYPE_CHECKING:
    from twotower.evaluation.holdout import EvaluationSet

AND = " and "


@dataclass(frozen=True)
class ItemGroup:
    """Items that metrics are reported for.

    Attributes:
        name: in metrics/item_groups.json.
        suffix: of the keys of its metrics.
        summary: which items they are, for messages.
    """

    name: str
    suffix: str
    summary: str


GROUPS = Table(
    "item group",
    ItemGroup("all", "", "all items"),
    ItemGroup("warm", "_warm", "items with training rows"),
    ItemGroup("cold", "_cold", "items without training rows"),
)


def split_key(key: str) -> tuple[str, ItemGroup]:
    """Metric and group of a key: recall_at_10_cold is recall_at_10 of the cold items."""
    for group in GROUPS.values():
        if group.suffix and key.endswith(group.suffix):
            return key.removesuffix(group.suffix), group
    return key, GROUPS["all"]


def mix_text(weights: Mapping[str, Any]) -> str:
    """A mix as one key: 0.5 recall_at_10_warm and 0.5 recall_at_10_cold; of one metric, its key.

    Raises:
        ValueError: if there is no metric, or a weight is no number above 0.
    """
    if not weights:
        msg = "must name a metric"
        raise ValueError(msg)
    for key, weight in weights.items():
        if (
            isinstance(weight, bool)
            or not isinstance(weight, int | float)
            or not 0 < weight < float("inf")
        ):
            msg = f"the weight of {key} must be a number above 0, got {weight!r}"
            raise ValueError(msg)
    if len(weights) == 1:
        return str(next(iter(weights)))
    # Without an exponent: MLflow takes no + in a metric's name.
    return AND.join(
        f"{np.format_float_positional(float(weight), trim='-')} {key}"
        for key, weight in weights.items()
    )


def weights_of(objective: str) -> dict[str, float]:
    """Weight of each metric of an objective: of a key alone it is 1."""
    parts = [re.fullmatch(r"(\d+(?:\.\d+)?) (\S+)", part) for part in objective.split(AND)]
    mixed = {part[2]: float(part[1]) for part in parts if part}
    return mixed if len(mixed) == len(parts) else {objective: 1.0}


def assessed_as(objective: str) -> tuple[str, ItemGroup]:
    """Metric and group by which models are compared: of a mix, its heaviest metric over all."""
    weights = weights_of(objective)
    metric, group = split_key(max(weights, key=lambda key: weights[key]))
    return metric, group if len(weights) == 1 else GROUPS["all"]


def names_group(objective: str) -> bool:
    """Whether a part of the objective is of warm or of cold items."""
    return any(split_key(key)[1].suffix for key in weights_of(objective))


def with_mix(metrics: Mapping[str, float], objective: str) -> dict[str, float]:
    """The metrics, and the value of a mix under its text."""
    weights = weights_of(objective)
    if objective in metrics or not weights.keys() <= metrics.keys():
        return dict(metrics)
    return {**metrics, objective: sum(metrics[key] * weights[key] for key in weights)}


def by_group(target: "EvaluationSet", warm: BoolArray) -> dict[str, "EvaluationSet"]:
    """The whole evaluation set and, if cold items are relevant, those of warm and of cold items.

    A group without a relevant item is absent.

    Args:
        target: whose catalogue is ranked.
        warm: [num_items] whether an item has training rows.
    """
    sets = {"warm": target.among(warm), "cold": target.among(~warm)}
    found = {name: part for name, part in sets.items() if len(part)}
    return {"all": target, **(found if "cold" in found else {})}


def check_objectives(objectives: Collection[str], targets: Mapping[str, "EvaluationSet"]) -> None:
    """Insist that the validation split, if there is one, has the items of every objective.

    Raises:
        ConfigError: naming the key that settles it.
    """
    are_several = len(objectives) > 1
    keys = [key for objective in objectives for key in weights_of(objective)]
    for key in keys if len(targets["all"]) else ():
        metric, group = split_key(key)
        if group.name not in targets:
            instead = f"{metric} in its place" if are_several else f"hpo.objective: {metric}"
            msg = (
                f"hpo.objective{'s' * are_several}: {key} is of {group.summary}, and no such "
                "metrics can be told: the validation split has no item to find that is in the "
                "items table and has no training rows; set split.cold_items, e.g. 0.1, or "
                f"{instead}"
            )
            raise ConfigError(msg)
