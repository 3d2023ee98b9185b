"""What every format does with its header."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.ingest.sources.source import Source


class Names(Source):
    """A source that has nothing but a header."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError


def test_a_header_of_any_length_is_checked_in_one_pass() -> None:
    header = [str(number) for number in range(200_000)]  # in two, it would take hours
    assert Names("a.csv", header).num_fields == 200_000
    with pytest.raises(DataError) as caught:
        Names("a.csv", header * 2)
    assert str(caught.value) == (
        "a.csv: duplicate column names in the header: '0', '1', '10', '100', '1000', …; "
        "if first rows are data, set data.header: false"
    )


def test_columns_without_a_name_are_counted() -> None:
    with pytest.raises(DataError, match=r"^a\.csv: 2 columns have no name in the header; name or"):
        Names("a.csv", ["user_id", "item_id", "", ""])
