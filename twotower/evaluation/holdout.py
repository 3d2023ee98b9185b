"""The held-out items of each user, as an evaluation set."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.sorted_keys import contains
from twotower.data.interactions import ItemLists
from twotower.data.prepared import Catalogue, relevant_rows


@dataclass(frozen=True)
class EvaluationSet:
    """The users that are evaluated, one per row.

    Attributes:
        users: [num_rows] user index.
        relevant: distinct held-out items of each row, without those that are masked or not in the
            catalogue.
        num_relevant: [num_rows] number of distinct held-out items that are not masked, those that
            are not in the catalogue included; > 0.
        masked: items of each row that are excluded from its ranking.
        num_items: size of the catalogue.
        num_users_nothing_new: users who are excluded because all their held-out items are masked.
        num_users_cold: users who are excluded because they have no history.
        information: [num_items] bits of surprise in each item of the catalogue; see `novelty`.
        num_users_nothing_relevant: users who are excluded because none of their held-out rows
            counts (`evaluate.relevant`).
        candidates: [num_items] whether an item is ranked at all; None: all are.
    """

    users: Int64Array
    relevant: ItemLists
    num_relevant: Int64Array
    masked: ItemLists
    num_items: int
    num_users_nothing_new: int
    num_users_cold: int
    information: Float64Array
    num_users_nothing_relevant: int = 0
    candidates: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.users)

    def counts(self) -> dict[str, int]:
        """How many users and items the metrics are computed over."""
        return {
            "num_users": len(self),
            "num_users_cold": self.num_users_cold,
            "num_users_nothing_relevant": self.num_users_nothing_relevant,
            "num_users_nothing_new": self.num_users_nothing_new,
            "num_items": self.num_ranked,
            "num_relevant": int(self.num_relevant.sum()),
            "num_relevant_not_in_catalogue": int(
                self.num_relevant.sum() - self.relevant.counts.sum()
            ),
        }

    @property
    def num_ranked(self) -> int:
        """Items that are ranked for a user of whom none is masked."""
        return self.num_items if self.candidates is None else int(self.candidates.sum())

    @property
    def num_candidates(self) -> Int64Array:
        """[num_rows] items in each ranking."""
        return self.num_ranked - self.masked.counts

    def among(self, candidates: BoolArray) -> "EvaluationSet":
        """The same question of some items alone: they are ranked, and the relevant ones to find.

        Users who have none to find are left out. Items outside the catalogue are in no such group.

        Args:
            candidates: [num_items] whether an item is one of them.
        """
        relevant = _filter(self.relevant, candidates[self.relevant.items])
        rows = np.flatnonzero(relevant.counts > 0)
        return replace(
            self,
            users=self.users[rows],
            relevant=relevant.select(rows),
            num_relevant=relevant.counts[rows],
            masked=_filter(self.masked, candidates[self.masked.items]).select(rows),
            candidates=candidates,
        )


def evaluation_set(
    catalogue: Catalogue, history: pd.DataFrame, held_out: pd.DataFrame, *, exclude_seen: bool
) -> EvaluationSet:
    """Each user's relevant and masked items.

    Args:
        catalogue: users and items that the model has vectors for.
        history: user_id and item_id of the rows that the users are scored by.
        held_out: user_id and item_id of the rows that it is evaluated on, and perhaps whether they
            are relevant. Rows that are not are as if they were not there: neither found nor masked.
        exclude_seen: whether a user's items in `history` are masked.
    """
    num_held_out = held_out["user_id"].nunique()
    held_out = relevant_rows(held_out)
    # Held-out users and items that are not in the catalogue are counted, and need indices too.
    everyone = catalogue.extend(held_out, history)
    num_users, num_items = len(everyone.users), len(everyone.items)
    seen = everyone.encode(history).distinct_items(num_users, num_items)
    later = everyone.encode(held_out).distinct_items(num_users, num_items)
    unmasked = _difference(later, seen, num_items) if exclude_seen else later

    cold = (later.counts > 0) & (seen.counts == 0)
    users = np.flatnonzero((unmasked.counts > 0) & ~cold)
    relevant = unmasked.select(users)
    return EvaluationSet(
        users=users,
        relevant=_below(relevant, len(catalogue.items)),
        num_relevant=relevant.counts,
        masked=_below(seen.select(users), len(catalogue.items))
        if exclude_seen
        else ItemLists.empty(len(users)),
        num_items=len(catalogue.items),
        num_users_nothing_new=int(((later.counts > 0) & (unmasked.counts == 0) & ~cold).sum()),
        num_users_cold=int(cold.sum()),
        information=self_information(seen, len(catalogue.items)),
        num_users_nothing_relevant=num_held_out - held_out["user_id"].nunique(),
    )


def self_information(seen: ItemLists, num_items: int) -> Float64Array:
    """[num_items] -log2 of the share of users with any item who have this one, of at least one.

    Args:
        seen: items of each user; those from `num_items` on are not in the catalogue.
        num_items: size of the catalogue.
    """
    having = np.bincount(seen.items, minlength=num_items)[:num_items]
    everyone = np.count_nonzero(seen.counts)
    bits: Float64Array = np.log2(max(everyone, 1) / np.maximum(having, 1))
    return bits


def _difference(lists: ItemLists, minus: ItemLists, num_items: int) -> ItemLists:
    return _filter(lists, ~contains(minus.keys(num_items), lists.keys(num_items)))


def _below(lists: ItemLists, num_items: int) -> ItemLists:
    return _filter(lists, lists.items < num_items)


def _filter(lists: ItemLists, keep: BoolArray) -> ItemLists:
    kept = np.concatenate([[0], np.cumsum(keep)])
    return ItemLists(kept[lists.offsets], lists.items[keep])
