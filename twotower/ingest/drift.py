"""How the make-up of data changes: events, popularity, and what is known of users and items.

The population stability index of shares p before and q now is the sum of (q - p) ln(q / p):
below 0.1 little has changed, above 0.25 much has (Siddiqi, "Credit Risk Scorecards", 2006).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, FiniteFloat

from twotower.common.arrays import Float64Array, Int64Array, UInt64Array
from twotower.common.files import round_float
from twotower.common.hashing import id_hashes
from twotower.data.feature import Cells
from twotower.data.features import KINDS
from twotower.ingest.feature_columns import RawFeature

SKETCH = 1000
"""Number of ids, or categories, that are compared: those with the smallest hashes."""
GROUPS = 10
"""Number of groups whose shares are compared."""
LEAST = 1e-4
"""A share counts as at least this, so that its logarithm exists."""
PERCENTILES = np.linspace(0, 1, 101)
NUMBERS = Cells.NUMBERS
CATEGORIES = (Cells.TEXT, Cells.LISTS)

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**14)]
"""Of rows: of SKETCH of them, ten times the sum is an int64."""
Percentiles = Annotated[list[FiniteFloat], Field(min_length=101, max_length=101)]


@dataclass(frozen=True)
class FeatureProfile:
    """One feature of a table.

    Attributes:
        missing: share of the rows without a value.
        categories: rows of each category, by its hash: of the SKETCH smallest hashes; None: the
            feature has none.
        percentiles: 101 of the numbers that are there; None: there are none.
        num_values: how many there are.
    """

    missing: Share
    categories: dict[str, Count] | None = None
    percentiles: Percentiles | None = None
    num_values: Count | Literal[0] = 0

    def __post_init__(self) -> None:
        if (self.percentiles is None) != (self.num_values == 0):
            msg = "percentiles without num_values, or num_values without percentiles"
            raise ValueError(msg)


def hex_hashes(digests: UInt64Array) -> list[str]:
    """Hashes of `id_hashes` as profiles hold them: in hex, the bytes of the digest."""
    return [f"{digest:016x}" for digest in digests.byteswap().tolist()]


def sketch(counts: Mapping[str, int]) -> dict[str, int]:
    """Of counts by hash those of the SKETCH smallest hashes, which are a random sample."""
    return {key: counts[key] for key in sorted(counts)[:SKETCH]}


def profile_feature(feature: RawFeature) -> FeatureProfile:
    """The profile of a feature as the table holds it."""
    kind = KINDS[feature.config.kind]
    values = feature.values
    if kind.cells is NUMBERS:
        numbers = values.to_numpy()
        numbers = numbers[np.isfinite(numbers)]
        missing = _share(len(values) - len(numbers), len(values))
        if not len(numbers):
            return FeatureProfile(missing)
        cuts = np.quantile(numbers, PERCENTILES, method="inverted_cdf")
        return FeatureProfile(missing, None, list(map(round_float, cuts.tolist())), len(numbers))
    is_list = kind.cells is Cells.LISTS
    empty = pc.equal(pc.list_value_length(values), 0).fill_null(True) if is_list else None
    num_missing = int(pc.sum(empty).as_py() or 0) if is_list else values.null_count
    missing = _share(num_missing, len(values))
    if kind.cells not in CATEGORIES or kind.name == "text":
        return FeatureProfile(missing)
    cells = pc.list_flatten(values) if is_list else values
    counted = cells.drop_null().value_counts()
    if not len(counted):
        return FeatureProfile(missing, {})
    names, rows = (counted.field(key) for key in ("values", "counts"))
    hashes = hex_hashes(id_hashes(names.cast(pa.string()).to_pandas()))
    return FeatureProfile(missing, sketch(dict(zip(hashes, rows.to_pylist(), strict=True))))


def _share(part: int, whole: int) -> float:
    return round_float(part / whole) if whole else 0.0


def new_categories(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Share of the rows with a category that has a new one, estimated from two sketches."""
    bound = max(before) if len(before) == SKETCH else None
    rows = {key: count for key, count in now.items() if bound is None or key <= bound}
    total = sum(rows.values())
    return sum(count for key, count in rows.items() if key not in before) / total if total else 0.0


def popularity_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Stability of item popularity, from sketches of rows by item.

    The last run's items are put into GROUPS groups of about equal numbers of rows, from the most to
    the least popular; that they get other shares of the rows of these items is drift. Items that
    are new have a rule of their own.
    """
    bounds = [max(sketched) for sketched in (before, now) if len(sketched) == SKETCH]
    known = [key for key in before if not bounds or key <= min(bounds)]
    known.sort(key=lambda key: (-before[key], key))
    old, new = (
        np.array([rows.get(key, 0) for key in known], dtype=np.int64) for rows in (before, now)
    )
    if not old.sum() or not new.sum():
        return 0.0
    earlier = np.cumsum(old) - old
    groups = earlier * GROUPS // old.sum()
    counts = (np.bincount(groups, rows, minlength=GROUPS) for rows in (old, new))
    return stability_index(*counts)


def numbers_index(before: FeatureProfile, now: FeatureProfile) -> float:
    """Stability of a feature of numbers, in the GROUPS groups that the old ones' deciles make."""
    if before.percentiles is None or now.percentiles is None:
        return 0.0
    edges = np.unique(np.array(before.percentiles)[10:100:10])
    old, new = (
        np.diff(_shares_below(edges, profile.percentiles or []), prepend=0.0, append=1.0)
        * profile.num_values
        for profile in (before, now)
    )
    return stability_index(old, new)


def _shares_below(edges: Float64Array, percentiles: Sequence[float]) -> Float64Array:
    """[num_edges] share of the numbers up to each edge, to one percent."""
    return np.searchsorted(np.array(percentiles), edges, side="right") / len(percentiles)


def stability_index(before: Float64Array | Int64Array, now: Float64Array | Int64Array) -> float:
    """Population stability index of counts, less what is expected by chance; at least 0.

    Args:
        before: [num_groups] rows of each group; some row there must be.
        now: likewise.

    Source of the expectation, for equal shares (num_groups - 1) (1 / rows before + 1 / rows now):
    Yurdakul, "Statistical properties of population stability index", 2018.
    """
    there = (before > 0) | (now > 0)
    old, new = (np.maximum(rows[there] / rows.sum(), LEAST) for rows in (before, now))
    index = float(((new - old) * np.log(new / old)).sum())
    chance = (there.sum() - 1) * (1 / before.sum() + 1 / now.sum())
    return max(0.0, index - float(chance))
