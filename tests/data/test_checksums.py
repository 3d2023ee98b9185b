from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import events, write_prepared
from tests.conftest import split_by_time as split
from twotower.common.errors import DataError
from twotower.data.checksums import DIGESTS, check_digests
from twotower.data.prepared import (
    SEARCHED,
    fingerprint,
    read_parts,
    read_split,
    write_catalogue,
)
from twotower.data.prepared import read_catalogue as catalogue_in


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """Prepared data as the prepare stage leaves it."""
    folder = write_prepared(tmp_path / "prepared", split(events(seed=0)))
    beside = [folder / f"{name}.parquet" for name in SEARCHED]
    before = fingerprint(folder)
    write_catalogue(folder / "vocabulary", catalogue_in(folder / "vocabulary"), beside)
    assert fingerprint(folder) == before  # the file is no part of a study's identity
    check_digests(folder)
    return folder


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_changed_bit_of_what_the_search_reads_is_named(checked: Path) -> None:
    files = [checked / f"{name}.parquet" for name in SEARCHED]
    files += [path for path in (checked / "vocabulary").iterdir() if path.name != DIGESTS]
    assert len(files) == 6
    for path in files:
        whole = path.read_bytes()
        for position in (0, len(whole) // 2, -1):
            flip(path, position)
            with pytest.raises(DataError) as raised:
                read_parts(checked)
            assert str(raised.value) == (
                f"{path}: damaged, or not written by the prepare stage (its checksum is wrong); "
                "run dvc repro -f -s prepare"
            )
            path.write_bytes(whole)


def test_a_changed_bit_of_test_rows_is_named_or_changes_none(checked: Path) -> None:
    path = checked / "test.parquet"
    rows, whole = read_split(path), path.read_bytes()
    end_of_pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for position in range(4, end_of_pages, 3):
        flip(path, position)
        try:
            pd.testing.assert_frame_equal(read_split(path), rows)  # as of a header's statistics
        except DataError:
            refused += 1
        path.write_bytes(whole)
    assert refused > 100


def test_a_missing_or_damaged_file_is_named_and_older_data_has_no_digests(checked: Path) -> None:
    digests = checked / "vocabulary" / DIGESTS
    for content, name in (("", DIGESTS), ("[1]", DIGESTS), ('{"gone": "0"}', "gone: no such file")):
        digests.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=name):
            check_digests(checked)
    digests.unlink()
    check_digests(checked)
