import gzip
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from twotower.common.errors import ConfigError, DataError
from twotower.config import parse_config
from twotower.config.data import DataConfig
from twotower.config.raw_files import FORMATS, FileFormat
from twotower.ingest.open_file import open_source
from twotower.ingest.sources import text
from twotower.ingest.sources.raw_text import read_bytes
from twotower.ingest.sources.source import Source

PAIRS = [["a", "x"], ["a", "y"], ["b", "x"]]
TABLE = "id,name\n007,Ana\nNA,\"two\nlines\"\n\n5,'x'\n"


def cells(path, **config):
    source = open_source(path, DataConfig(**config), None)
    table = source.read(list(source.header))
    return table.to_pydict(), source.num_ragged


def test_blanks_around_column_names_do_not_count(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id, name \n1,a\n")
    assert cells(path)[0] == {"id": ["1"], "name": ["a"]}


def test_cells_stay_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    expected = {"id": ["007", "NA", "5"], "name": ["Ana", "two\nlines", "'x'"]}
    assert cells(path) == (expected, 0)


@pytest.mark.parametrize(
    "content",
    [
        TABLE.encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        gzip.compress(TABLE.encode()),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        (TABLE + "\n\n\n").encode(),
        TABLE.rstrip().encode(),
    ],
    ids=["plain", "bom", "gzip", "crlf", "cr", "blank lines at the end", "no final line feed"],
)
def test_the_same_table_in_other_bytes(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    expected = {"id": ["007", "NA", "5"], "name": ["Ana", "two\nlines", "'x'"]}
    assert cells(path) == (expected, 0)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-8-sig"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "t.tsv"
    path.write_bytes("id\tciudad\n1\tCádiz\n".encode(encoding))
    assert cells(path, encoding=encoding) == ({"id": ["1"], "ciudad": ["Cádiz"]}, 0)


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"\xff\xfe", "utf-16-le"), (b" \xa0\n", "latin-1")]
)
def test_text_of_nothing_but_white_space(tmp_path, content, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv: the file has only blank lines"):
        open_source(path, DataConfig(encoding=encoding), None)


def test_other_bytes_than_the_declared_encoding_says(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("id,x\n1,a\n2,3€\n".encode("cp1252"))
    assert cells(path, encoding="cp1252")[0]["x"] == ["a", "3€"]
    with pytest.raises(
        DataError, match=r"t\.csv: line 3: byte 0x80 .* not valid latin-1; .*cp1252"
    ):
        cells(path, encoding="latin-1")
    path.write_text("id,x\n1,é\n")
    with pytest.raises(
        DataError, match=r"t\.csv: is UTF-8, not latin-1; set data\.encoding: utf-8"
    ):
        cells(path, encoding="latin-1")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_the_line_of_a_byte_that_is_no_text(tmp_path, line_end):
    path = tmp_path / "t.csv"
    path.write_bytes(line_end.join([b"id,x", b"1,a", b"2,\xe9"]))
    with pytest.raises(DataError, match=r"t\.csv: line 3: byte 0xe9 .* set data\.encoding"):
        cells(path)


def test_the_first_line_of_a_spreadsheet_names_the_separator(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sep=;\nid;x\n1;a\n")
    assert cells(path) == cells(path, separator=";") == ({"id": ["1"], "x": ["a"]}, 0)
    assert open_source(path, DataConfig(), None).place(0) == "line 3"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('"a"', "a"),
        ('"a" ', "a "),
        ('"a""b"', 'a"b'),
        ('"a,\n""b"""', 'a,\n"b"'),
        ('5" pen', '5" pen'),
        (' "a"', None),
        ('"a"b', None),
        ('"a\\"b"', None),
    ],
)
def test_quotes_enclose_whole_fields(tmp_path, cell, expected):
    path = tmp_path / "t.csv"
    path.write_text(f"id,x\n1,a\n2,{cell}\n")
    assert open_source(path, DataConfig(), None).read(["id"])["id"].to_pylist() == ["1", "2"]
    if expected is None:
        with pytest.raises(DataError, match=r"t\.csv: line 3: column 'x': stray quotation mark"):
            cells(path)
    else:
        assert cells(path)[0]["x"] == ["a", expected]


def test_quotes_around_whole_rows_are_text(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('id\tx\ty\n1\t2\t"a\n2\t3\tb"\n3\t4\tc\n')
    with pytest.raises(DataError, match=r"line 2: quotation marks enclose the rest of a row"):
        cells(path)
    path.write_text('id\tx\ty\n1\t2\t"a\n2\tb"\n3\t4\tc\n')
    assert cells(path)[0]["y"] == ["a\n2\tb", "c"]


def test_separator_makes_any_extension_text(tmp_path):
    path = tmp_path / "ml.inter"
    path.write_text("a:token;b\n1;2\n")
    assert cells(path, separator=";") == ({"a:token": ["1"], "b": ["2"]}, 0)


@pytest.mark.parametrize(("value", "expected"), [("\t", "\t"), ("\\t", "\t"), ("|", "|")])
def test_separator_setting(value, expected):
    assert DataConfig(separator=value).separator == expected


@pytest.mark.parametrize("value", ["", '"', "\n", "é", ":\n"])
def test_separator_must_be_ascii(value):
    with pytest.raises(ConfigError, match=r"data\.separator: must be ASCII characters"):
        parse_config({"data": {"separator": value}})


def test_false_means_that_there_is_none():
    columns = {"timestamp": False, "weight": None}
    data = parse_config({"data": {"users": {"file": False}, "interactions": {"columns": columns}}})
    assert data.data.users.file == ""
    assert data.data.interactions.columns.timestamp == ""
    assert data.data.interactions.columns.weight is None


def test_lines_are_counted_as_in_an_editor(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\n\na,b\n1,2\n\n"x\ny",3\n4\n5,6\n7,8,9\n')
    source = open_source(path, DataConfig(), None)
    table = source.read(["a"])
    assert table["a"].to_pylist() == ["1", "x\ny", "5"]
    assert source.num_ragged == 2
    assert source.places(np.array([0, 1, 2])) == ["line 4", "line 6", "line 9"]
    assert source.place(2) == "line 9"
    assert list(source.ragged()) == [("line 8", 1), ("line 10", 3)]


def test_many_blocks_are_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "BLOCK_BYTES", 64)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{n},{n % 3}\n" for n in range(200)))
    table = open_source(path, DataConfig(), None).read(["b", "a"])
    assert table["a"].to_pylist() == [str(n) for n in range(200)]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_parquet(tmp_path, compress):
    buffer = io.BytesIO()
    pd.DataFrame({"id": [1, 2], "x": ["007", None]}).to_parquet(buffer)
    path = tmp_path / ("t.parquet.gz" if compress is gzip.compress else "t.parquet")
    path.write_bytes(compress(buffer.getvalue()))
    assert cells(path) == ({"id": [1, 2], "x": ["007", None]}, 0)


def test_adjacency(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("0 5 6\n\n1\n2  7 \r\n")
    source = open_source(path, DataConfig(), "adjacency")
    table = source.read(["user", "item"])
    assert table.to_pydict() == {"user": ["0", "0", "2"], "item": ["5", "6", "7"]}
    assert source.places(np.array([0, 2])) == ["line 1", "line 4"]


def test_adjacency_with_a_separator(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a,x y,z\nb\n")
    table = open_source(path, DataConfig(separator=","), "adjacency").read(["user", "item"])
    assert table.to_pydict() == {"user": ["a", "a"], "item": ["x y", "z"]}


class Pairs(Source):
    """user>item on each line: a format that the package lacks, and all it takes to add one."""

    typed = True

    def __init__(self, name, data):
        self._rows = [line.split(">") for line in data.decode().splitlines()]
        super().__init__(name, ["user", "item", "weight"])

    def batches(self, columns):
        values = dict(zip(self.header, zip(*self._rows, strict=True), strict=True))
        yield pa.record_batch({name: pa.array(values[name]) for name in columns})


def open_pairs(path, config):  # noqa: ARG001 - as in every row
    return Pairs(f"events of {path.name}", read_bytes(path))


def test_a_format_is_one_row(shop, monkeypatch):
    made_up = FileFormat("pairs", "made up", open_pairs, (".pairs",), side_tables=False)
    monkeypatch.setitem(FORMATS, "pairs", made_up)
    content = "".join(f"{user}>{item}>2\n" for user, item in PAIRS)
    shop.bare(content, name="interactions.pairs")
    assert shop.run()["source"]["files"]["interactions"] == "interactions.pairs"
    assert sorted(shop.everything()[["user_id", "item_id"]].to_numpy().tolist()) == PAIRS
    (shop.root / "interactions.pairs").unlink()
    shop.write("log", gzip.compress(content.replace(">2", ">-2", 1).encode()))
    shop.data["interactions"] = {"file": "log", "format": "pairs"}
    with pytest.raises(DataError, match=r"events of log: column 'weight' .*: row 1 \('-2'\)"):
        shop.run()


@pytest.mark.parametrize(
    ("section", "choices"),
    [
        ("interactions", "csv, tsv, parquet, jsonl, adjacency"),
        ("users", "csv, tsv, parquet, jsonl"),
    ],
)
def test_a_format_without_a_row_is_an_error(section, choices):
    with pytest.raises(ConfigError, match=rf"data\.{section}\.format: .*{choices}, got 'xlsx'"):
        parse_config({"data": {section: {"format": "xlsx"}}})


def test_adjacency_lists_hold_no_features():
    with pytest.raises(ConfigError, match=r"data\.items\.format: .*, got 'adjacency'"):
        parse_config({"data": {"items": {"format": "adjacency"}}})


@pytest.mark.parametrize(
    ("header", "columns"),
    [("user_id,item_id,2024", {}), ("who,what,2024", {"user": "who", "item": "what"})],
)
def test_a_number_may_be_the_name_of_a_column_that_is_not_used(shop, header, columns):
    shop.bare(f"{header}\na,x,3\nb,y,5\na,y,5\nb,x,5\n")
    shop.data["interactions"] = {"columns": columns}
    assert shop.run()["source"]["unused_columns"] == ["2024"]
