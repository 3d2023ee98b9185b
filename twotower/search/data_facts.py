"""What the training split says about the search space."""

import numpy as np

from twotower.config import Config
from twotower.config.effects import DataFacts
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue


def facts_of(catalogue: Catalogue, interactions: Interactions) -> DataFacts:
    """What decides which hyperparameters do anything.

    Args:
        catalogue: users and items with their side features.
        interactions: the training rows, all within the catalogue.
    """
    return DataFacts(
        num_rows=len(interactions),
        num_users=int(np.count_nonzero(np.bincount(interactions.user_idx))),
        num_items=int(np.count_nonzero(np.bincount(interactions.item_idx))),
        has_order=bool(interactions.later_rows().any()),
        user_features=bool(catalogue.users.features.columns),
        item_features=bool(catalogue.items.features.columns),
    )


def without_entries(config: Config, names: dict[str, str]) -> Config:
    """The configuration with a search space that lacks these entries; it may be empty."""
    space = {k: v for k, v in config.hpo.search_space.items() if k not in names}
    hpo = config.hpo.model_copy(update={"search_space": space})
    if "search_space" not in config.hpo.model_fields_set:  # params.yaml still lacks the section
        hpo.model_fields_set.discard("search_space")
    return config.model_copy(update={"hpo": hpo}) if names else config
