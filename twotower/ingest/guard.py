"""Guard rails: data that differs too much from the last run's stops the pipeline.

While `data/last_run.json` is empty or absent, nothing is checked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from twotower.common.bounded import one_line
from twotower.common.errors import DataError
from twotower.common.units import DAY
from twotower.config.splitting import GuardConfig
from twotower.ingest.data_profile import RESET, DataProfile, read_last_run
from twotower.ingest.drift import (
    SKETCH,
    FeatureProfile,
    new_categories,
    numbers_index,
    popularity_index,
    stability_index,
)


@dataclass(frozen=True)
class Change:
    """What differs from the last run's data.

    Attributes:
        rule: key of section `guard`.
        value: how much it differs, as the rule counts it.
        limit: None: there is none.
        text: in words.
        is_least: whether the limit is the least that the value may be, not the most.
    """

    rule: str
    value: float
    limit: float | None
    text: str
    is_least: bool = False

    @property
    def is_too_large(self) -> bool:
        """Whether the limit is exceeded."""
        if self.limit is None:
            return False
        return self.value < self.limit if self.is_least else self.value > self.limit

    def __str__(self) -> str:
        return f"{self.text} (guard.{self.rule}: {self.limit:g})"

    def described(self) -> dict[str, Any]:
        """As metrics/data.json has it."""
        return {key: getattr(self, key) for key in ("rule", "value", "limit", "text")}


def check_data(
    new: DataProfile,
    last_run: Path,
    config: GuardConfig,
    why_text: Mapping[str, str | None] | None = None,
) -> list[Change]:
    """Compare new data with the last run's.

    Args:
        new: the profile of the new data.
        last_run: file of the last run's profile.
        config: limits of change.
        why_text: what makes the ids text, for "user" and "item"; None: unknown.

    Returns:
        All changes, none of which exceeds its limit; empty if there was no last run.

    Raises:
        DataError: naming every limit that is exceeded, the values, and what to do.
    """
    last = read_last_run(last_run)
    if last is None:
        return []
    changed = list(_changed_ids(last, new, why_text or {}))
    changes = list(_changes(last, new, config))
    exceeded = [one_line(change) for change in changes if change.is_too_large]
    if last.first is not None and new.first is None:
        exceeded.append("the events no longer have times")
    if changed or exceeded:
        # For types of ids, which clients know, there is no limit to change.
        ways = "run" if changed else "change the limit in params.yaml or run"
        msg = (
            f"the data differs too much from the last run's: {'; '.join(changed + exceeded)}; "
            f"if this is intended, {ways}: {RESET}"
        )
        raise DataError(msg)
    return changes


def _changed_ids(
    last: DataProfile, new: DataProfile, why_text: Mapping[str, str | None]
) -> Iterator[str]:
    """Clients that ask with ids of the other type would be refused, whatever the limits."""
    for side in ("user", "item"):
        before, now = (getattr(data, f"{side}_ids") for data in (last, new))
        if before is not None and before != now:
            why = why_text.get(side)
            because = f" because of {why}" if why else ""
            yield f"{side} ids were {before} and are {now}{because} (data.{side}s.id_type)"


def _changes(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[Change]:
    ratio = new.rows / last.rows
    rows = f"{new.rows:,} rows, {ratio:.2f} times the last run's {last.rows:,}"
    yield Change("min_rows", ratio, config.min_rows, rows, is_least=True)
    yield Change("max_rows", ratio, config.max_rows, rows)
    for kind, before, now, limit in (
        ("users", last.user_hashes, new.user_hashes, config.max_new_users),
        ("items", last.item_hashes, new.item_hashes, config.max_new_items),
    ):
        share = share_of_new(before, now)
        yield Change(f"max_new_{kind}", share, limit, f"{share:.0%} of the {kind} are new")
    yield from _changed_dates(last, new, config)
    yield from _changed_rows(last, new, config)
    for name, feature in (last.features or {}).items():
        yield from _changed_feature(name, feature, (new.features or {}).get(name), config)


def _changed_dates(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[Change]:
    if last.first is None or last.last is None or new.first is None or new.last is None:
        return
    for what, before, now, days, rule in (
        ("first", last.first, new.first, (new.first - last.first) / DAY, "max_days_lost"),
        ("last", last.last, new.last, (last.last - new.last) / DAY, "max_days_back"),
        ("last", last.last, new.last, (new.last - last.last) / DAY, "max_days_new"),
    ):
        dates = f"from {_date(before)} to {_date(now)}"
        yield Change(rule, days, getattr(config, rule), f"the {what} event moved {dates}")


def _changed_rows(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[Change]:
    """Which events the rows are, and which items they are about."""
    if last.events and new.events:
        names = sorted({*last.events, *new.events})
        before, now = (np.array([of.get(n, 0) for n in names]) for of in (last.events, new.events))
        index = stability_index(before, now)
        old, share = before / before.sum(), now / now.sum()
        most = int(np.abs(share - old).argmax())
        text = (
            f"the event types have other shares (PSI {index:.2f}), {names[most]!r} "
            f"{share[most]:.1%} of the rows after {old[most]:.1%}"
        )
        yield Change("max_event_psi", index, config.max_event_psi, text)
    if last.item_rows and new.item_rows:
        old_items = dict(zip(last.item_hashes, last.item_rows, strict=True))
        new_items = dict(zip(new.item_hashes, new.item_rows, strict=True))
        index = popularity_index(old_items, new_items)
        text = f"the popularity of the last run's items has changed (PSI {index:.2f})"
        yield Change("max_popularity_psi", index, config.max_popularity_psi, text)


def _changed_feature(
    name: str, before: FeatureProfile, now: FeatureProfile | None, config: GuardConfig
) -> Iterator[Change]:
    missing = 1.0 if now is None else now.missing
    text = f"{name} has no value in {missing:.0%} of the rows, after {before.missing:.0%}"
    yield Change("max_more_missing", missing - before.missing, config.max_more_missing, text)
    if now is None:
        return
    if before.categories is not None and now.categories is not None:
        share = new_categories(before.categories, now.categories)
        text = f"{share:.0%} of the values of {name} are new categories"
        yield Change("max_new_categories", share, config.max_new_categories, text)
    if before.percentiles and now.percentiles:
        index = numbers_index(before, now)
        old, new = before.percentiles[50], now.percentiles[50]
        text = f"the numbers of {name} have changed (PSI {index:.2f}), median {old:g} to {new:g}"
        yield Change("max_number_psi", index, config.max_number_psi, text)


def share_of_new(before: list[str], now: list[str]) -> float:
    """Share of the ids that are new, estimated from two sketches; exact up to SKETCH ids.

    Hashes are as good as random, so the ids with hashes below any bound are a random sample.
    """
    bound = before[-1] if len(before) == SKETCH else None
    sample = [key for key in now if bound is None or key <= bound]
    existing = set(before)
    return sum(key not in existing for key in sample) / len(sample) if sample else 1.0


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
