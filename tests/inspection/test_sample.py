import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twotower.common.errors import DataError
from twotower.inspection import sample as module
from twotower.inspection.sample import read_sample

ROWS = "".join(f"{n},x{n}\n" for n in range(3000))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.dat", "a"])
def test_text(tmp_path: Path, name: str) -> None:
    data = f"user,item\n{ROWS}".encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    sample = read_sample(tmp_path, name)
    assert (sample.format, sample.num_rows, sample.is_whole) == ("csv", 3000, True)
    assert [column.name for column in sample.columns] == ["user", "item"]
    assert sample.has_usual_separator == (".csv" in name)
    assert sample.key_of(sample.columns[1]) == "item"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_line_that_tells_the_separator(tmp_path: Path, mark: str) -> None:
    (tmp_path / "a.csv").write_text(f"{mark}sep=;\nuser;item\n1;2\n", encoding="utf-8")
    sample = read_sample(tmp_path, "a.csv")
    assert [column.name for column in sample.columns] == ["user", "item"]
    assert sample.dialect is not None
    assert (sample.dialect.separator, sample.num_rows) == (";", 1)


def test_large_files_are_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 100)
    monkeypatch.setattr(module, "HEAD_BYTES", 1000)
    (tmp_path / "a.csv").write_text(f"user,item\n{ROWS}")
    sample = read_sample(tmp_path, "a.csv")
    assert (sample.num_rows, sample.is_whole) == (100, False)
    assert sample.estimate is not None
    assert 2500 < sample.estimate < 4500
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(f"user,item\n{ROWS}".encode()))
    assert read_sample(tmp_path, "a.csv.gz").estimate is None
    pq.write_table(pa.table({"user": range(500), "item": range(500)}), tmp_path / "a.parquet")
    sample = read_sample(tmp_path, "a.parquet")
    assert (sample.num_rows, sample.estimate) == (100, 500)


def test_an_accent_far_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_BYTES", 1000)
    (tmp_path / "a.csv").write_bytes(f"user,item\n{ROWS}".encode() + b"1,caf\xe9\n" * 900)
    dialect = read_sample(tmp_path, "a.csv").dialect
    assert dialect is not None
    assert dialect.encoding == "cp1252"


def test_an_accent_in_another_part(tmp_path: Path) -> None:
    (tmp_path / "part-0.csv").write_bytes(b"user,item\n1,2\n")
    (tmp_path / "part-1.csv").write_bytes(b"user,item\n1,caf\xe9\n")
    sample = read_sample(tmp_path, "part-*.csv")
    assert sample.dialect is not None
    assert (sample.dialect.encoding, sample.num_rows) == ("cp1252", 2)


def test_without_a_header_positions_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t2\t3\n1\t3\t4\n")
    sample = read_sample(tmp_path, "u.data")
    assert (sample.format, [sample.key_of(column) for column in sample.columns]) == (
        "tsv",
        [1, 2, 3],
    )


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"user": 1, "tags": ["é"]}, {"user": 2}]
    (tmp_path / "a.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sample = read_sample(tmp_path, "a.json")
    assert (sample.format, sample.is_delimited, sample.num_rows) == ("jsonl", False, 2)


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",user,item\n0,1,2\n1,1,3\n")
    assert [each.name for each in read_sample(tmp_path, "a.csv").columns] == ["user", "item"]


def test_adjacency_lists_are_estimated_by_their_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 100)
    lists = [f"{user} " + "7 " * (1 + user % 3) for user in range(300)]
    (tmp_path / "train.txt").write_text("\n".join(lists) + "\n")
    sample = read_sample(tmp_path, "train.txt")
    assert (sample.format, sample.num_rows, sample.estimate) == ("adjacency", 100, 600)


def test_lines_of_another_length_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"user,item\n{ROWS}1,2,3\n")
    assert read_sample(tmp_path, "a.csv").num_ragged == 1


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"only\none\ncolumn\n", "only one column"),
        ("a.csv", b"user,item\n", "no rows"),
        (
            "a.csv",
            b"Sales\n\nuser;item\n1;2\n2;3\n",
            "first line, 'Sales', is above",
        ),
        ("a.csv", b"user,item\n1,2,\n2,3,\n", "must have 2 fields, like the first; line 2 has 3"),
        ("a.csv", b'u,t,i\n1,"a \\"x, c",2\n2,"\\"a, c",3\n', "have 3 fields.*not doubled"),
        ("a.csv", b"day,day\n1,2\n3,4\n", "duplicate column names in the header: 'day'"),
        ("a.json", b'[{"user": 1}]', "a JSON array; JSON lines are read, which jq"),
        ("a.csv", b" \n", "the file is empty"),
        ("a.xlsx", b"PK\x03\x04rest,of\nit,all\n", "a spreadsheet or a zip archive"),
        ("a.gz", b"\x1f\x8bnot really", "cannot read the file"),
        ("a.parquet", b"PAR1 and no more", "damaged or not a Parquet file"),
        ("absent", None, "no files"),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_sample(tmp_path, name)


def test_columns_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"user": 1, "item": 2, "by": {"os": "x"}}\n')
    (tmp_path / "b.csv").write_text('user,item,note\n1,2,"a"b\n')
    for file, reason in {"a.jsonl": "not an object", "b.csv": "stray quotation mark"}.items():
        sample = read_sample(tmp_path, file)
        assert [column.name for column in sample.columns] == ["user", "item"]
        assert [reason in why for why in sample.unread] == [True]


def test_parts_with_other_types(tmp_path: Path) -> None:
    for number, rating in enumerate((1, 1.5)):
        table = pa.table({"user": [1], "item": [1], "rating": [rating]})
        pq.write_table(table, tmp_path / f"part-{number}.parquet")
    assert read_sample(tmp_path, "part-*.parquet").columns[2].values.to_pylist() == [1, 1.5]


@pytest.mark.parametrize("values", [["2025-01-01", "__HIVE_DEFAULT_PARTITION__"],
                                    ["__HIVE_DEFAULT_PARTITION__"]])  # fmt: skip
def test_parts_in_folders_without_a_value(tmp_path: Path, values: list[str]) -> None:
    for value in values:
        (tmp_path / "events" / f"date={value}").mkdir(parents=True)
        (tmp_path / "events" / f"date={value}" / "p.csv").write_text("user,item\n1,2\n")
    date = read_sample(tmp_path, "events").columns[2]
    assert (date.name, date.share_filled) == ("date", 1 - 1 / len(values))


def test_parts_of_two_formats(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "part-0.csv").write_text("user,item\n1,2\n")
    pq.write_table(pa.table({"user": [1], "item": [1]}), tmp_path / "events" / "part-1.parquet")
    with pytest.raises(DataError, match=r"part-1.parquet: is not text but a Parquet file"):
        read_sample(tmp_path, "events")


def test_a_text_of_many_words_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COLUMNS", 3)
    (tmp_path / "a.csv").write_text("a,b,c,d\n1,2,3,4\n")
    with pytest.raises(DataError, match="4 columns, of at most 3 that are looked at"):
        read_sample(tmp_path, "a.csv")
