"""Ten users: what they did, and what the model recommends to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from twotower.artifacts import Id
from twotower.data.prepared import relevant_rows
from twotower.report.item_map import OTHERS, Groups
from twotower.report.sources import Sources

NUM_USERS = 10
LENGTH = 10
"""Items shown of a history, the latest, and recommendations."""


@dataclass(frozen=True)
class Shown:
    """An item in a list.

    Attributes:
        title: what people know it by, or its id.
        group: its category; empty where unknown.
        color: of the category.
        found: whether it is a recommendation that the user chose in the test split.
    """

    title: str
    group: str
    color: str
    found: bool = False


@dataclass(frozen=True)
class Person:
    """A user.

    Attributes:
        name: the id, or a number where ids are masked.
        num_rows: rows that the model was trained on, or that a new user is known by.
        history: the latest items, the latest first, each once.
        recommended: the best first.
        source: what they were computed from, see twotower.serving.recommendations.
        num_new: new items that the user chose in the test split; 0 if the model was trained on it.
    """

    name: str
    num_rows: int
    history: list[Shown]
    recommended: list[Shown]
    source: str
    num_new: int

    @property
    def num_found(self) -> int:
        """How many of the new items are among the recommendations."""
        return sum(item.found for item in self.recommended)


def people(sources: Sources, groups: Groups, *, anonymous: bool) -> list[Person]:
    """Users from the least to the most active, with as many between any two.

    Where users are held out whole, they are users of the test split, by what is known of them.
    """
    trained_on = sources.model.artifacts.meta["trained_on"]
    is_tested = "test" not in trained_on
    rows = sources.splits["test_history"]
    are_new = is_tested and not rows.empty
    if not are_new:
        rows = pd.concat([sources.splits[name] for name in trained_on])
    chosen = choose_users(rows["user_id"])
    done = _items_of(chosen, rows)
    later = _items_of(chosen, relevant_rows(sources.splits["test"])) if is_tested else {}
    if are_new:
        histories = [done[user] for user in chosen]
        answers = sources.model.recommend_from_histories(histories, LENGTH)
    else:
        answers = sources.model.recommend(chosen, LENGTH)
    shelf = _Shelf(sources, groups)
    return [
        shelf.person(
            f"User {number if anonymous else user}",
            done[user],
            set(later.get(user, [])) - set(done[user]),
            items,
            source,
        )
        for number, (user, items, source) in enumerate(
            zip(chosen, answers.item_ids, answers.source, strict=True), 1
        )
    ]


def _items_of(users: Sequence[Id], rows: pd.DataFrame) -> dict[Id, list[Id]]:
    """Items of each user's rows in order of time; users without rows are left out."""
    rows = rows[rows["user_id"].isin(users)].sort_values("timestamp", kind="stable")
    groups: Iterator[tuple[Any, pd.Series]] = iter(rows.groupby("user_id")["item_id"])
    return {user: items.tolist() for user, items in groups}


def choose_users(user_ids: pd.Series) -> list[Id]:
    """Up to NUM_USERS ids, evenly from those with the fewest rows to those with the most."""
    counts = user_ids.value_counts(sort=False).sort_index().sort_values(kind="stable")
    places = np.linspace(0, len(counts) - 1, min(NUM_USERS, len(counts))).round().astype(int)
    chosen: list[Id] = counts.index[places].tolist()
    return chosen


class _Shelf:
    """The items as they are shown."""

    def __init__(self, sources: Sources, groups: Groups) -> None:
        self._ids = sources.model.artifacts.item_ids
        self._titles = sources.titles
        self._groups = groups

    def person(
        self, name: str, done: list[Id], new: set[Id], recommended: list[Id], source: str
    ) -> Person:
        latest = list(dict.fromkeys(reversed(done)))[:LENGTH]
        return Person(
            name,
            num_rows=len(done),
            history=[self._show(item) for item in latest],
            recommended=[self._show(item, found=item in new) for item in recommended],
            source=source,
            num_new=len(new),
        )

    def _show(self, item: Id, *, found: bool = False) -> Shown:
        index = int(self._ids.encode([item])[0])
        is_known = index >= 0
        return Shown(
            title=self._titles.get(item, f"item {item}"),
            group=self._groups.names[index] if is_known else "",
            color=self._groups.color(index) if is_known else OTHERS,
            found=found,
        )
