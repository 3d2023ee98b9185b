import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.data.prepared import PARTS
from twotower.ingest import overlap
from twotower.ingest.events import Events
from twotower.ingest.overlap import SEEN, count_overlap

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([-(2**32), 0, 1, 2]), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(overlap, "BLOCK_ROWS", 3)


@settings(max_examples=40)
@given(ROWS)
def test_counts_as_sets_do(rows):
    rows.sort()
    users, values, labels = np.array(rows).T
    ids = {"user": pa.array(range(5))}
    columns = {"user": users.astype(np.int32), "split": labels.astype(np.int8)}
    counts = count_overlap(Events(ids, columns), values)
    of_parts = [{(u, v) for u, v, n in rows if n == label} for label in range(len(PARTS))]
    assert counts.of_parts.tolist() == [len(keys) for keys in of_parts]
    keys = set().union(*of_parts)
    assert counts.total == len(keys)
    assert counts.most_of_a_user == max(sum(u == user for u, _ in keys) for user in range(5))
    for name, before in SEEN.items():
        seen = set().union(*(of_parts[PARTS.index(part)] for part in before))
        held_out = [(u, v) for u, v, n in rows if n == PARTS.index(name)]
        assert counts.seen[name] == sum(key in seen for key in held_out)
