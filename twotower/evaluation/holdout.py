"""What is held out, and for whom."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.config.training import EvaluateConfig
from twotower.data.interactions import ItemLists
from twotower.data.prepared import Catalogue
from twotower.evaluation import metrics


@dataclass(frozen=True)
class EvaluationSet:
    """Users with something to find, one a row.

    Attributes:
        users: [num_rows] user index.
        relevant: distinct held-out items of each row that the catalogue holds and no mask hides.
        num_relevant: [num_rows] the same with the items that the catalogue lacks; > 0.
        masked: items of each row that are taken out of its ranking.
        num_items: size of the catalogue.
        num_users_nothing_new: users whose held-out items are all masked; left out.
        num_users_cold: users with held-out rows and no history; left out.
    """

    users: Int64Array
    relevant: ItemLists
    num_relevant: Int64Array
    masked: ItemLists
    num_items: int
    num_users_nothing_new: int
    num_users_cold: int

    def __len__(self) -> int:
        return len(self.users)

    def counts(self) -> dict[str, int]:
        """How many users and items the metrics stand on."""
        return {
            "num_users": len(self),
            "num_users_cold": self.num_users_cold,
            "num_users_nothing_new": self.num_users_nothing_new,
            "num_items": self.num_items,
            "num_relevant": int(self.num_relevant.sum()),
            "num_relevant_not_in_catalogue": int(
                self.num_relevant.sum() - self.relevant.counts.sum()
            ),
        }

    @property
    def num_candidates(self) -> Int64Array:
        """[num_rows] items in each ranking."""
        return self.num_items - self.masked.counts

    def random_per_user(self, ks: tuple[int, ...]) -> dict[str, Float64Array]:
        """[num_rows] metrics to be expected of a random ranking under the same masks, by name."""
        if not len(self):
            return {}
        return metrics.random_expectation(
            num_candidates=self.num_candidates,
            num_rankable=self.relevant.counts,
            num_relevant=self.num_relevant,
            ks=ks,
        )

    def random_coverage(self, ks: tuple[int, ...]) -> dict[str, float]:
        """Share of the catalogue that random rankings show to somebody, to be expected."""
        if not len(self):
            return {}
        masked = self.masked.rows(0, len(self))
        return {
            f"coverage_at_{k}": metrics.random_coverage(
                self.num_candidates, *masked, self.num_items, k
            )
            for k in ks
        }

    def random(self, ks: tuple[int, ...]) -> dict[str, float]:
        """Mean metrics to be expected of a random ranking under the same masks."""
        means = {name: float(values.mean()) for name, values in self.random_per_user(ks).items()}
        return means | self.random_coverage(ks)


def evaluation_set(
    catalogue: Catalogue, history: pd.DataFrame, held_out: pd.DataFrame, config: EvaluateConfig
) -> EvaluationSet:
    """Find each user's relevant items.

    Args:
        catalogue: users and items that the model knows.
        history: user_id and item_id of what the model may know, and what may be masked.
        held_out: user_id and item_id of what is to be found.
        config: whether seen items are masked.
    """
    # Items and users beyond the catalogue get indices too, so that distinct ones are counted.
    everyone = catalogue.extend(held_out)
    num_users, num_items = len(everyone.users), len(everyone.items)
    seen = everyone.encode(history).distinct_items(num_users, num_items)
    wanted = everyone.encode(held_out).distinct_items(num_users, num_items)
    new = _difference(wanted, seen, num_items) if config.exclude_seen else wanted

    cold = (wanted.counts > 0) & (seen.counts == 0)
    users = np.flatnonzero((new.counts > 0) & ~cold)
    relevant = new.select(users)
    nothing = ItemLists.empty(len(users))
    return EvaluationSet(
        users=users,
        relevant=_below(relevant, len(catalogue.items)),
        num_relevant=relevant.counts,
        masked=seen.select(users) if config.exclude_seen else nothing,
        num_items=len(catalogue.items),
        num_users_nothing_new=int(((wanted.counts > 0) & (new.counts == 0) & ~cold).sum()),
        num_users_cold=int(cold.sum()),
    )


def _difference(lists: ItemLists, minus: ItemLists, num_items: int) -> ItemLists:
    return _filter(lists, ~np.isin(lists.keys(num_items), minus.keys(num_items)))


def _below(lists: ItemLists, num_items: int) -> ItemLists:
    return _filter(lists, lists.items < num_items)


def _filter(lists: ItemLists, keep: BoolArray) -> ItemLists:
    kept = np.concatenate([[0], np.cumsum(keep)])
    return ItemLists(kept[lists.offsets], lists.items[keep])
