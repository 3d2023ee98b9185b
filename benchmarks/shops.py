"""Invented shops of different kinds, to measure the default search on data that nobody tuned on.

    python -m benchmarks.shops NAME FOLDER     # writes interactions.csv, and perhaps the others

Every item is of a group and of a style, every user has a main and a second group and a favourite
style. A visit looks for an item of one of these groups, of the style rather than of another, by
popularity; or it returns to an item seen before, or goes to one of the few items that follow the
last one. What it finds is viewed, and perhaps clicked, carted and bought: a row each.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.choices import Table

START = datetime(2025, 1, 1)
YEAR = 365 * 24 * 3600
EVENTS = ("view", "click", "cart", "purchase")
FURTHER = 0.3
"""Chance of each event after the first."""
GROUP_SHARES = (0.7, 0.2, 0.1)
"""Of a user's interest: for the main group, the second, and all."""
FOLLOWERS = 6
"""Items that an item may be followed by."""


@dataclass(frozen=True)
class Shop:
    """A kind of shop.

    Attributes:
        name: on the command line.
        summary: what kind it is.
        users: their number.
        items: likewise.
        visits: of a user, in the mean; their number has a long tail.
        groups: of items.
        styles: likewise, across the groups.
        stray: demand for an item of another style than the favourite, against 1.
        skew: an item's popularity falls with its rank to this power.
        returns: chance that a visit goes to an item seen before.
        follows: chance that it goes to an item that follows the last one.
        changing: share of the users whose groups and style are others from some day on.
        told: chance that a side feature says what it seems to; 0: the shop has no side features.
        timed: whether the rows have times.
    """

    name: str
    summary: str
    users: int
    items: int
    visits: float
    groups: int
    styles: int
    stray: float
    skew: float = 0.7
    returns: float = 0.15
    follows: float = 0.0
    changing: float = 0.0
    told: float = 0.0
    timed: bool = True


SHOPS = Table(
    "shop",
    Shop("sticky", "small, tastes that stay", 260, 140, 10.0, 14, 4, 0.05, returns=0.05),
    Shop("dense", "few items, many visits", 600, 150, 40.0, 6, 5, 0.2, skew=1.0),
    Shop("sparse", "many items of few visits each", 5000, 4000, 6.0, 40, 8, 0.05, skew=0.8),
    Shop("told", "features say most", 1500, 1500, 7.0, 12, 8, 0.03, told=0.85),
    Shop("untimed", "no times, no features", 1200, 700, 14.0, 20, 6, 0.1, timed=False),
    Shop("drifting", "tastes change, items follow on items", 1500, 600, 20.0, 15, 5, 0.1,
         follows=0.3, changing=0.8, told=0.5),
)  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """The items of a shop.

    Attributes:
        group: [items] group of each.
        style: [items] style of each.
        popularity: [items] demand, before taste.
        followers: [items, FOLLOWERS] items of the same group that visits go on to.
    """

    group: Int64Array
    style: Int64Array
    popularity: Float64Array
    followers: Int64Array

    @classmethod
    def draw(cls, shop: Shop, rng: np.random.Generator) -> "Catalogue":
        """A catalogue of the shop."""
        group, style = (rng.integers(n, size=shop.items) for n in (shop.groups, shop.styles))
        popularity = np.asarray((rng.permutation(shop.items) + 10.0) ** -shop.skew, np.float64)
        members = [np.flatnonzero(group == g) for g in range(shop.groups)]
        followers = np.stack([rng.choice(members[g], FOLLOWERS) for g in group])
        return cls(group, style, popularity, followers)


@dataclass(frozen=True)
class Taste:
    """Of a user: the main and the second group, and a style."""

    groups: tuple[int, int]
    style: int

    @classmethod
    def draw(cls, shop: Shop, rng: np.random.Generator) -> "Taste":
        """A taste for the shop."""
        main, second = (int(g) for g in rng.choice(shop.groups, 2, replace=False))
        return cls((main, second), int(rng.integers(shop.styles)))

    def demand(self, shop: Shop, items: Catalogue) -> Float64Array:
        """[items] chance of each item in a visit that looks for something."""
        main, second, any_ = GROUP_SHARES
        fit = np.where(items.style == self.style, 1.0, shop.stray) * items.popularity
        size = np.maximum(np.bincount(items.group, fit, shop.groups), 1e-12)
        shares = np.full(shop.groups, any_ / shop.groups)
        shares[list(self.groups)] += main, second
        demand = fit * (shares / size)[items.group]
        return np.asarray(demand / demand.sum(), np.float64)


def write_shop(shop: Shop, folder: Path, seed: int = 7) -> None:
    """Write a shop's files.

    Args:
        shop: a row of SHOPS.
        folder: made if it is missing.
        seed: of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    items = Catalogue.draw(shop, rng)
    tastes = [Taste.draw(shop, rng) for _ in range(shop.users)]
    rows = sorted(
        (row for user, taste in enumerate(tastes) for row in events(shop, items, user, taste, rng)),
        key=lambda row: row[0],
    )
    folder.mkdir(parents=True, exist_ok=True)
    times = [f",{START + timedelta(seconds=row[0])}" if shop.timed else "" for row in rows]
    _write(
        folder / "interactions.csv",
        "user_id,item_id,event" + (",timestamp" if shop.timed else ""),
        (f"{u + 1},{i + 1},{event}{t}" for (_, u, i, event), t in zip(rows, times, strict=True)),
    )
    if shop.told:
        categories = _as_told(items.group, shop.groups, shop.told, rng)
        brands = _as_told(items.style, shop.styles, shop.told, rng)
        columns = enumerate(zip(categories, brands, strict=True))
        lines = (f"{i + 1},group {c},brand {b}" for i, (c, b) in columns)
        _write(folder / "items.csv", "item_id,category,brand", lines)
        interests = _as_told([t.groups[0] for t in tastes], shop.groups, shop.told, rng)
        lines = (f"{u + 1},group {interest}" for u, interest in enumerate(interests))
        _write(folder / "users.csv", "user_id,interest", lines)


def events(
    shop: Shop, items: Catalogue, user: int, taste: Taste, rng: np.random.Generator
) -> Iterator[tuple[int, int, int, str]]:
    """(second of the year, user, item, event) of a user, in the order of time."""
    count = 3 + int(rng.exponential(max(shop.visits - 3, 0.1)))
    moments = np.sort(rng.integers(YEAR, size=count))
    change = int(rng.uniform(0.2, 0.8) * YEAR) if rng.random() < shop.changing else YEAR
    before, after = (t.demand(shop, items) for t in (taste, Taste.draw(shop, rng)))
    seen: list[int] = []
    for moment in moments.tolist():
        how = rng.random() if seen else 1.0
        if how < shop.returns:
            item = seen[rng.integers(len(seen))]
        elif how < shop.returns + shop.follows:
            item = int(items.followers[seen[-1], rng.integers(FOLLOWERS)])
        else:
            item = int(rng.choice(shop.items, p=before if moment < change else after))
        seen.append(item)
        reached = 1 + int((rng.random(len(EVENTS) - 1) < FURTHER).cumprod().sum())
        for step, event in enumerate(EVENTS[:reached]):
            yield moment + 20 * step, user, item, event


def _as_told(
    truth: Int64Array | list[int], count: int, told: float, rng: np.random.Generator
) -> Int64Array:
    """The truth, but for a share of 1 - told that is anything."""
    told_so = rng.random(len(truth)) < told
    return np.where(told_so, truth, rng.integers(count, size=len(truth)))


def _write(path: Path, header: str, lines: Iterator[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in [header, *lines]).encode())


def main() -> None:
    """Write one shop."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=list(SHOPS))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    write_shop(SHOPS[arguments.name], arguments.folder)


if __name__ == "__main__":
    main()
