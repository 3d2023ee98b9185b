"""What a held-out split asks for, of all items and by group, as params.yaml has it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twotower.common.errors import ConfigError
from twotower.config import Config
from twotower.data.prepared import Catalogue
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.item_groups import by_group, split_key, weights_of


def held_out_groups(
    config: Config, catalogue: Catalogue, history: pd.DataFrame, held_out: pd.DataFrame
) -> dict[str, EvaluationSet]:
    """The evaluation set of all items and, where that is told apart, of warm and of cold ones.

    Args:
        config: sections `evaluate`, `hpo` and `split`.
        catalogue: users and items that the model has vectors for.
        history: rows that it is trained on.
        held_out: rows that it is evaluated on; may be empty.
    """
    exclude_seen = config.evaluate.exclude_seen
    target = evaluation_set(catalogue, history, held_out, exclude_seen=exclude_seen)
    if not config.reports_item_groups:
        return {"all": target}
    counts = np.bincount(catalogue.encode(history).item_idx, minlength=len(catalogue.items))
    return by_group(target, counts > 0)


def check_objective(objective: str, targets: Mapping[str, EvaluationSet]) -> None:
    """Insist that the validation split, if there is one, has the items of the objective.

    Raises:
        ConfigError: naming the key that settles it.
    """
    for key in weights_of(objective) if len(targets["all"]) else ():
        metric, group = split_key(key)
        if group.name not in targets:
            msg = (
                f"hpo.objective: {key} is of {group.summary}, and no such metrics can be told: the "
                "validation split has no item to find that is in the items table and has no "
                f"training rows; set split.cold_items, e.g. 0.1, or hpo.objective: {metric}"
            )
            raise ConfigError(msg)
