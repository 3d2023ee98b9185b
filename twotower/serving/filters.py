"""Which items may be recommended in one request."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from twotower.artifacts import Id, IdColumn
from twotower.common.arrays import BoolArray
from twotower.common.errors import RequestError


@dataclass(frozen=True)
class ItemFilter:
    """Items by id; those that the model does not know are ignored.

    Attributes:
        allowed: only these may be recommended; None: all.
        blocked: these may not, even if they are allowed.
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


def item_mask(given: Filter | None, ids: IdColumn) -> BoolArray | None:
    """[num_items] whether each item may be recommended; None: all may.

    Raises:
        RequestError: if this is no filter, or one for another catalogue.
    """
    if given is None:
        return None
    if isinstance(given, ItemFilter):
        return given.mask(ids)
    if isinstance(given, np.ndarray):
        if given.dtype != np.bool_ or given.shape != (len(ids),):
            msg = (
                f"a mask has one bool for each of the {len(ids)} items, "
                f"got {given.dtype} of shape {given.shape}"
            )
            raise RequestError(msg)
        return given
    if callable(given):
        return np.fromiter((bool(given(item)) for item in ids.all), np.bool_, len(ids))
    msg = f"a filter is an ItemFilter, an array of bool or a predicate, got {type(given).__name__}"
    raise RequestError(msg)
