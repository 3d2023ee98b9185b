"""What the splits share: pairs of user and item, or moments of a user."""

from dataclasses import dataclass

import numpy as np

from twotower.common.arrays import Int64Array, IntArray
from twotower.common.sorted_keys import distinct_counts
from twotower.data.interactions import pair_keys
from twotower.data.prepared import PARTS
from twotower.data.time_order import user_blocks
from twotower.ingest.events import Events

SEEN = {
    "validation": ("train", "validation_history"),
    "test": ("train", "validation_history", "validation", "test_history"),
}
"""Parts that come before each held-out split."""
BLOCK_ROWS = 1 << 20
"""Rows that are counted at once, unless one user has more."""
LABEL_BITS = 3
"""Of a position in PARTS."""


@dataclass
class Overlap:
    """Counts of keys, which are users with something that each row has.

    Attributes:
        of_parts: [num_parts] number of different keys in each of PARTS.
        total: number of different keys.
        most_of_a_user: the largest number of different keys of one user.
        seen: by held-out split, number of its rows whose key comes before it, see SEEN.
    """

    of_parts: Int64Array
    total: int
    most_of_a_user: int
    seen: dict[str, int]


def count_overlap(events: Events, values: IntArray) -> Overlap:
    """What the splits share of users with these values.

    Args:
        events: in order, all with a split; at least one.
        values: [num_rows] integers, of which the largest and the smallest are less than 2**35
            apart.
    """
    users = events.columns["user"]
    low, span = int(values.min()), int(values.max()) - int(values.min()) + 1
    counts = Overlap(np.zeros(len(PARTS), np.int64), 0, 0, dict.fromkeys(SEEN, 0))
    for block in user_blocks(users, BLOCK_ROWS):
        of_users = users[block].astype(np.int64) - users[block.start]
        keys = pair_keys(of_users, values[block] - low, span) << LABEL_BITS
        _add(counts, keys | events.labels[block], span)
    return counts


def _add(counts: Overlap, labelled: Int64Array, span: int) -> None:
    """Count the rows of some users, whose keys end with their labels."""
    labelled, num_rows = distinct_counts(labelled)
    keys, labels = labelled >> LABEL_BITS, labelled & ((1 << LABEL_BITS) - 1)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    parts_of_key = np.bitwise_or.reduceat(1 << labels, starts)
    beside = np.repeat(parts_of_key, np.diff(starts, append=len(keys)))
    counts.of_parts += np.bincount(labels, minlength=len(PARTS))
    counts.total += len(starts)
    of_users = np.bincount(keys[starts] // span)
    counts.most_of_a_user = max(counts.most_of_a_user, int(of_users.max()))
    for name, before in SEEN.items():
        mask = sum(1 << PARTS.index(part) for part in before)
        is_seen = (labels == PARTS.index(name)) & (beside & mask > 0)
        counts.seen[name] += int(num_rows[is_seen].sum())
