"""Files of users are read as prepare reads raw files."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twotower.artifacts import IdColumn
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.data.id_text import IdText
from twotower.serving.user_files import read_histories, read_ids

NFC, NFD = "Jos\u00e9", "Jose\u0301"


def ids_of(folder: Path, ids: list[Any], unicode: str | None = "as_is", name: str = "user") -> Any:
    """Ids of a model; `unicode` None: one of before ids had a form."""
    table = pa.table({f"{name}_id": ids})
    metadata = IdText.of(unicode).metadata if unicode else None
    pq.write_table(table.replace_schema_metadata(metadata), folder / f"{name}s.vocabulary")
    return IdColumn(folder / f"{name}s.vocabulary", name)


@pytest.fixture
def integers(tmp_path: Path) -> IdColumn:
    return ids_of(tmp_path, [1])


@pytest.fixture
def text(tmp_path: Path) -> IdColumn:
    return ids_of(tmp_path, ["a"])


def read(path: Path, users: IdColumn, **data: Any) -> list[Any]:
    return list(read_ids(path, users, DataConfig.model_validate(data)).ids)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("u.csv", "user_id\n7\n007\n"),
        ("u.csv", "usuario_id;nombre\n7;Ana\n007;Bo\n"),
        ("u.csv", "nombre\tUser_ID\nAna\t7\nBo\t007\n"),
        ("u.tsv", "nombre|User_ID\nAna|7\nBo|007\n"),
        ("u.csv", 'name,user_id\n"Ana, Bo\n",7\nBo," 007 "\n'),
        ("u.csv", "\ufeffuser_id\r\n7\r\n007"),
        ("u.csv", "user_id\n7\n007\n".encode("utf-16")),
        ("u.csv.gz", gzip.compress(b"user_id\n7\n007\n", mtime=0)),
        ("u.jsonl", '{"user_id": 7}\n{"user_id": "007"}\n'),
        ("u.txt", "7\n007\n"),
        ("u.csv", "7\n007\n"),
        ("u.txt", "7\n\n 007\n\n"),
        ("u.txt", "user_id\n7\n007\n"),
        ("u.txt.gz", gzip.compress(b"7\n007\n", mtime=0)),
        ("users", "7\r\n007\r\n"),
    ],
)
def test_what_is_read(tmp_path: Path, text: IdColumn, name: str, content: Any) -> None:
    assert text.check(read(write(tmp_path / name, content), text)) == ["7", "007"]


@pytest.mark.parametrize(
    "values",
    [[7, 8], [7.0, 8.0], ["7", " 8.0"], [Decimal("7.00"), Decimal(8)], pd.Categorical(["7", "8"])],
    ids=["integers", "floats", "text", "decimals", "dictionary"],
)
def test_parquet_ids_get_the_type_of_the_models(
    tmp_path: Path, integers: IdColumn, values: Any
) -> None:
    pd.DataFrame({"user_id": values}).to_parquet(tmp_path / "u.parquet")
    assert read(tmp_path / "u.parquet", integers) == [7, 8]


def test_integers_of_a_model_whose_ids_are_text(tmp_path: Path, text: IdColumn) -> None:
    pd.DataFrame({"user_id": [7, 8]}).to_parquet(tmp_path / "u.parquet")
    assert read(tmp_path / "u.parquet", text) == ["7", "8"]


def test_part_files(tmp_path: Path, integers: IdColumn) -> None:
    folder = tmp_path / "users"
    folder.mkdir()
    for number, content in {2: "9\n", 1: "7\n8.0\n"}.items():
        write(folder / f"part-{number}.csv", f"usuario_id\n{content}")
    (folder / "_SUCCESS").touch()
    assert read(folder, integers) == [7, 8, 9]
    assert read(folder / "part-*.csv", integers) == [7, 8, 9]
    write(folder / "part-3.csv", "usuario_id\nx\n")
    with pytest.raises(DataError, match=r"must be an integer.*: part-3\.csv: line 2 \('x'\)"):
        read(folder, integers)


@pytest.mark.parametrize("content", ["7\n8\n", "user_id\n7\n8\n", "7;Ana\n8;Bo\n"])
def test_a_file_without_header_where_the_data_has_none(
    tmp_path: Path, integers: IdColumn, content: str
) -> None:
    path = write(tmp_path / "u.csv", content)
    columns = {"columns": {"user": 1, "item": 2}}
    assert read(path, integers, header=False, separator=";", interactions=columns) == [7, 8]


@pytest.mark.parametrize("header", ["Kdnr;name", "id;name", "usuario;Kdnr"])
def test_columns_that_params_yaml_names_come_first(
    tmp_path: Path, text: IdColumn, header: str
) -> None:
    path = write(tmp_path / "u.csv", f"{header}\na;b\n")
    got = read(path, text, interactions={"columns": {"user": "Kdnr"}})
    assert got == ["b" if header.endswith("Kdnr") else "a"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("u.csv", None, "u.csv: no such file"),
        ("u.txt", None, "u.txt: no such file"),
        ("u.csv", "", "the file is empty"),
        ("u.csv", "1,2\n2,3\n", "is there a header?"),
        ("u.csv", "name;city\n1;x\n", "cannot find the id column .*; set data.users.id"),
        ("u.csv", "user,usuario\n1,1\n", "more than one id column: user, usuario; set data.users"),
        ("u.csv", "user_id\n1\n\nx\n", "'user_id' must be an integer, as .* are; .* line 4"),
        ("u.csv", "user_id,n\n1,2\n,3\n", "'user_id' must not be blank; .* line 3"),
        ("u.csv", "user_id,n\n1\n", r"every row must have 2 fields, .* line 2 \(1 f"),
        ("u.txt", "1\n10_1\n", r"must be an integer, .* line 2 \('10_1'\)"),
        ("u.txt", "0101\n", r"must be an integer, .* line 1 \('0101'\)"),
        ("u.txt", b"1\n\xff\n", "line 2: byte 0xff .* set data.encoding"),
        ("u.jsonl", '{"user_id": 1.5}\n', r"must be an integer, .* line 1 \('1.5'\)"),
        ("u.parquet", "nonsense", "damaged or not a Parquet file"),
    ],
)  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, integers: IdColumn, name: str, content: Any, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        write(path, content)
    with pytest.raises(DataError, match=words):
        read(path, integers)


@pytest.mark.parametrize("content", ["", "user_id\n"])
def test_nobody(tmp_path: Path, text: IdColumn, content: str) -> None:
    assert read(write(tmp_path / "u.txt", content), text) == []


def test_rows_may_be_dropped(tmp_path: Path, integers: IdColumn) -> None:
    path = write(tmp_path / "u.csv", "user_id,n\n1,2\nx,3\n4\n")
    found = read_ids(path, integers, DataConfig(on_invalid="drop"))
    assert (found.ids, found.dropped) == ([1], {"bad_user": 1, "wrong_number_of_fields": 1})


def histories(path: Path, items: IdColumn, **data: Any) -> dict[Any, Any]:
    found = read_histories(path, items, DataConfig.model_validate(data))
    assert found.histories is not None
    return dict(zip(found.ids, found.histories, strict=True))


def test_rows_are_in_order_of_time(tmp_path: Path, integers: IdColumn) -> None:
    path = write(tmp_path / "h.csv", "cliente;usuario_id;Item ID\n1;b;7\n2;a;8\n3;b;6\n4; b;5\n")
    assert histories(path, integers) == {"b": [7, 6, 5], "a": [8]}


def test_times_order_the_items(tmp_path: Path, integers: IdColumn) -> None:
    content = "fecha,usuario_id,item_id\n31/12/2025,b,7\n1/1/2025,a,8\n1/1/2026,b,6\n1/1/2025,b,5\n"
    path = write(tmp_path / "h.csv", content)
    assert histories(path, integers) == {"b": [5, 7, 6], "a": [8]}
    in_rows = {"columns": {"timestamp": False}}
    assert histories(path, integers, interactions=in_rows) == {"b": [7, 6, 5], "a": [8]}
    by_year = {"time_format": "%d/%m/%Y"}
    assert histories(path, integers, interactions=by_year) == {"b": [5, 7, 6], "a": [8]}


def test_a_time_that_is_none_is_refused(tmp_path: Path, integers: IdColumn) -> None:
    path = write(tmp_path / "h.csv", "user_id,item_id,date\na,1,2025-01-01\na,2,soon\n")
    with pytest.raises(DataError, match=r"'date' must be a time .*time_format.* line 3 \('soon'\)"):
        histories(path, integers)


def test_users_of_histories_have_the_type_of_the_file(tmp_path: Path, integers: IdColumn) -> None:
    pd.DataFrame({"user_id": [5.0, 4.0, 5.0], "item_id": ["1", "2", "3"]}).to_parquet(
        tmp_path / "h.parquet"
    )
    assert histories(tmp_path / "h.parquet", integers) == {5: [1, 3], 4: [2]}
    rows = [{"user_id": 5, "item_id": 1}, {"user_id": "007", "item_id": 2.0}]
    path = write(tmp_path / "h.jsonl", "\n".join(json.dumps(row) for row in rows))
    assert histories(path, integers) == {"5": [1], "007": [2]}


@pytest.mark.parametrize("users", [[1.5, 2.0], [1, None], ["a", ""], [True, False]])
def test_unusable_users_of_histories(tmp_path: Path, integers: IdColumn, users: list[Any]) -> None:
    path = tmp_path / "h.parquet"
    pd.DataFrame({"user_id": users, "item_id": [1, 2]}).to_parquet(path)
    with pytest.raises(DataError, match=r"h\.parquet: column 'user_id'.* must (not be blank|be)"):
        histories(path, integers)


def test_one_column_is_no_history(tmp_path: Path, integers: IdColumn) -> None:
    path = write(tmp_path / "h.csv", "7;8\n9;10\n")
    columns = {"columns": {"user": 1, "item": 2}}
    assert histories(path, integers, header=False, separator=";", interactions=columns) == {
        "7": [8],
        "9": [10],
    }
    with pytest.raises(DataError, match=r"cannot find the item column; .* available columns: 1 "):
        histories(path, integers, header=False, separator="|", interactions=columns)


def test_a_format_that_no_extension_says(tmp_path: Path, integers: IdColumn) -> None:
    path = write(tmp_path / "h.txt", "a 1 2\nb 3\n")
    adjacency = {"format": "adjacency"}
    assert histories(path, integers, interactions=adjacency) == {"a": [1, 2], "b": [3]}
    path = write(tmp_path / "u.txt", "4\n5\n")
    assert read(path, integers, interactions=adjacency) == [4, 5]


def test_a_history_of_nobody(tmp_path: Path, integers: IdColumn) -> None:
    assert histories(write(tmp_path / "h.csv", "user_id,item_id\n"), integers) == {}


def test_a_list_of_ids_is_no_history(tmp_path: Path, integers: IdColumn) -> None:
    with pytest.raises(DataError, match="cannot find the user column"):
        histories(write(tmp_path / "h.txt", "a\nb\n"), integers)


def test_text_is_written_as_in_the_data(tmp_path: Path) -> None:
    path = write(tmp_path / "h.csv", f"user_id,item_id\n{NFD},{NFD}\n{NFC} , {NFC}\n")
    composed = ids_of(tmp_path, [NFC], "nfc", "item")
    assert histories(path, composed) == {NFC: [NFC, NFC]}
    as_is = ids_of(tmp_path, [NFC], "as_is", "item")
    assert histories(path, as_is) == {NFD: [NFD], NFC: [NFC]}
    older = ids_of(tmp_path, [NFC], None, "item")
    assert histories(path, older) == {NFD: [NFD], f"{NFC} ": [f" {NFC}"]}
