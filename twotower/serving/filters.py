"""Which items may be recommended in one request."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from twotower.artifacts import Id, IdColumn
from twotower.common.arrays import BoolArray
from twotower.common.errors import RequestError


@dataclass(frozen=True)
class ItemFilter:
    """Items by id; ids unknown to the model are ignored.

    Attributes:
        allowed: recommend only these; None: any item.
        blocked: never recommend these, even if they are allowed.
    """

    allowed: Collection[Id] | None = None
    blocked: Collection[Id] = ()

    def mask(self, ids: IdColumn) -> BoolArray | None:
        """[num_items] whether each item may be recommended; None: all may.

        Raises:
            RequestError: if an id is not of the type of the model's ids.
        """
        blocked = ids.encode(self.blocked)
        if self.allowed is None and not len(blocked):
            return None
        mask = np.full(len(ids), self.allowed is None)
        if self.allowed is not None:
            allowed = ids.encode(self.allowed)
            mask[allowed[allowed >= 0]] = True
        mask[blocked[blocked >= 0]] = False
        return mask


Filter = ItemFilter | BoolArray | Callable[[Id], bool]
"""An ItemFilter; [num_items] bool in the order of the item vectors; or a predicate of an id."""


def item_mask(item_filter: Filter | None, ids: IdColumn) -> BoolArray | None:
    """[num_items] whether each item may be recommended; None: all may.

    Raises:
        RequestError: if this is not a filter, or a mask of another size.
    """
    if item_filter is None:
        return None
    if isinstance(item_filter, ItemFilter):
        return item_filter.mask(ids)
    if isinstance(item_filter, np.ndarray):
        if item_filter.dtype != np.bool_ or item_filter.shape != (len(ids),):
            msg = (
                f"a mask must have one bool for each of the {len(ids)} items, "
                f"got {item_filter.dtype} of shape {item_filter.shape}"
            )
            raise RequestError(msg)
        return item_filter
    if callable(item_filter):
        return np.fromiter((bool(item_filter(item)) for item in ids.all), np.bool_, len(ids))
    msg = (
        "a filter must be an ItemFilter, an array of bool or a predicate of an id, "
        f"got {type(item_filter).__name__}"
    )
    raise RequestError(msg)
