"""Every way in which raw files can be wrong gives one clear message, and touches no output."""

import gzip
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.ingest.conftest import INTERACTIONS, Shop
from twotower.common.errors import TwoTowerError

STAGE = Path(__file__).parents[2] / "stages" / "prepare.py"


def edit(name: str, old: str, new: str) -> Callable[[Any], None]:
    """A change of one file of the shop."""

    def change(shop: Any) -> None:
        text = (shop.root / name).read_text()
        assert old in text
        shop.write(name, text.replace(old, new, 1))

    return change


def write(name: str, content: str | bytes) -> Callable[[Any], None]:
    return lambda shop: shop.write(name, content)


def remove(name: str) -> Callable[[Any], None]:
    return lambda shop: (shop.root / name).unlink()


def setting(section: str, **values: Any) -> Callable[[Any], None]:
    return lambda shop: getattr(shop, section).update(values)


def parquet(frame: pd.DataFrame, **columns: pa.Array) -> bytes:
    """Columns that pandas has no type for are given by name."""
    table = pa.Table.from_pandas(frame)
    for name, column in columns.items():
        table = table.append_column(name, column)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def parquet_instead(
    frame: pd.DataFrame, damage: Callable[[bytes], bytes] = bytes, **columns: pa.Array
) -> Any:
    def change(shop: Any) -> None:
        (shop.root / "interactions.csv").unlink()
        shop.write("interactions.parquet", damage(parquet(frame, **columns)))

    return change


def gzipped(damage: Callable[[bytes], bytes]) -> Any:
    def change(shop: Any) -> None:
        whole = gzip.compress((shop.root / "interactions.csv").read_bytes())
        (shop.root / "interactions.csv").unlink()
        shop.write("interactions.csv.gz", damage(whole))

    return change


LOG = "interactions.csv"
HEADER = "user_id,item_id,timestamp,event\n"
PAIRS = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 11, 12]})
ONE_USER = HEADER + "1,10,2024-01-01,view\n1,11,2024-01-01,view\n"
ONE_ITEM = HEADER + "1,10,2024-01-01,view\n2,10,2024-01-01,view\n"

BAD: dict[str, tuple[Callable[[Any], None], list[str]]] = {
    # folders and files
    "no folder": (setting("data", root="nowhere"), ["nowhere: no such folder", "data.root"]),
    "no file": (remove(LOG), ["no interactions file", "interacciones.csv", "items.csv"]),
    "named file missing": (
        setting("data", interactions={"file": "log.csv"}),
        ["log.csv: no such file", "data.interactions.file"],
    ),
    "two files": (
        write("interacciones.tsv", HEADER),
        ["interacciones.tsv, interactions.csv", "data.interactions.file"],
    ),
    "unknown extension": (
        setting("data", interactions={"file": "x.dat"}),
        ["x.dat", "no such file"],
    ),
    "no table for features": (
        remove("users.csv"),
        ["data.users.features declares city", "usuarios.csv", "data.users.features: {}"],
    ),
    "empty file": (write(LOG, ""), [LOG, "empty (0 bytes)"]),
    "blank file": (write(LOG, " \n\n"), [LOG, "only blank lines"]),
    "header only": (write(LOG, HEADER), [LOG, "no data rows"]),
    "header only, no line feed": (write(LOG, HEADER.strip()), [LOG, "no data rows"]),
    "header only table": (
        write("items.csv", "item_id,category,price\n"),
        ["items.csv", "no data rows"],
    ),
    "damaged gzip": (gzipped(lambda data: data[:-9]), ["interactions.csv.gz: damaged gzip"]),
    "not gzip": (gzipped(lambda _: b"user_id"), ["interactions.csv.gz: damaged gzip"]),
    "damaged Parquet": (
        parquet_instead(PAIRS, lambda data: data[:-20]),
        ["interactions.parquet: damaged or not a Parquet file"],
    ),
    "damaged Parquet page": (
        parquet_instead(PAIRS, lambda data: data[:4] + b"\xff" * 60 + data[64:]),
        ["interactions.parquet: damaged or not a Parquet file"],
    ),
    "empty Parquet": (parquet_instead(PAIRS[:0]), ["interactions.parquet", "no data rows"]),
    # text
    "undecodable byte": (
        write(LOG, HEADER.encode() + b"1,10,2024-01-01,view\n1,caf\xe9,2024-01-01,view\n"),
        [LOG, "line 3", "0xe9", "offset 58", "utf-8", "data.encoding"],
    ),
    "encoding not for files": (
        setting("data", encoding="punycode"),
        ["users.csv", "data.encoding", "punycode"],  # Python 3.13 has more to say
    ),
    "encoding with a zero byte": (setting("data", encoding="utf\08"), ["data.encoding", "null"]),
    "half a surrogate pair": (
        lambda shop: (
            edit(LOG, "click", "+2AA-")(shop),
            setting("data", encoding="utf-7")(shop),
        ),
        [LOG, "line 3", r"'\ud800'", "unpaired surrogate", "data.encoding: utf-7"],
    ),
    "unknown encoding": (setting("data", encoding="klingon"), ["data.encoding", "klingon"]),
    "zero byte": (edit(LOG, "view", "vi\0w"), [LOG, "line 2", "null byte"]),
    "too many fields": (
        edit(LOG, "2024-01-02,click", "2024-01-02,click,7"),
        [LOG, "must have 4 fields", "1 invalid row: line 3 (5 fields)"],
    ),
    "too few fields": (edit(LOG, "2024-01-02,click", "2024-01-02"), [LOG, "line 3 (3 fields)"]),
    "unclosed quote": (
        edit(LOG, "1,11,2024-01-02,click", '1,11,"2024-01-02,click'),
        [LOG, "line 3", "quotation mark"],
    ),
    "stray quotes": (
        write(LOG, HEADER + '1,10,2024-01-01,"view\n1,10,2024-01-01,"x\n2,10,2024-01-01,view\n'),
        [LOG, "line 2", "quotation mark"],
    ),
    "duplicate header": (
        edit(LOG, "timestamp", "item_id"),
        [LOG, "duplicate column names", "'item_id'"],
    ),
    "wrong separator": (
        setting("data", separator=";"),
        ["users.csv", "user_id,name,city,email", "data.separator"],
    ),
    # columns
    "no user column": (
        edit(LOG, "user_id", "who"),
        [LOG, "cannot find the user column", "who, item_id"],
    ),
    "named column missing": (
        setting("data", interactions={"columns": {"item": "sku"}}),
        [LOG, "no column 'sku'", "data.interactions.columns.item"],
    ),
    "one column for users and items": (
        setting("data", interactions={"columns": {"user": "item_id"}}),
        [LOG, "data.interactions.columns", "user and item are the same column, 'item_id'"],
    ),
    "two candidates": (
        edit(LOG, "event", "fecha"),
        [
            LOG,
            "more than one timestamp column: timestamp, fecha",
            "data.interactions.columns.timestamp",
        ],
    ),
    "no id column": (edit("items.csv", "item_id", "thing"), ["items.csv", "data.items.id"]),
    "no feature column": (
        edit("items.csv", "price", "cost"),
        ["items.csv", "'price'", "item_id, name, category, cost"],
    ),
    "no split column": (
        setting("split", strategy="given", column="part"),
        [LOG, "'part'", "split.column"],
    ),
    # rows
    "blank user": (edit(LOG, "1,11", " ,11"), [LOG, "'user_id' must not be blank", "line 3 (' ')"]),
    "blank item": (edit(LOG, "1,11", "1,"), [LOG, "'item_id' must not be blank", "line 3 ('')"]),
    "null id": (
        parquet_instead(PAIRS.assign(item_id=[10, None, 12])),
        ["interactions.parquet", "'item_id' must not be blank", "row 2 (null)"],
    ),
    "bad timestamp": (
        edit(LOG, "2024-01-02", "yesterday"),
        [LOG, "'timestamp' must be a time", "time_format", "1 invalid row: line 3 ('yesterday')"],
    ),
    "seconds among milliseconds": (
        write(LOG, HEADER + "1,10,1704067200000,view\n2,11,1704067200000,view\n1,11,5,view\n"),
        [LOG, "(milliseconds)", "time_unit", "1 invalid row: line 4 ('5')"],
    ),
    "milliseconds among seconds": (
        write(
            LOG, HEADER + "1,10,1704067200,view\n2,11,1704067200,view\n1,11,1704067200000,view\n"
        ),
        [LOG, "(seconds)", "1 invalid row: line 4 ('1704067200000')"],
    ),
    "day or month": (
        write(LOG, HEADER + "1,10,01/02/2024,view\n2,11,03/04/2024,view\n"),
        [LOG, "nothing tells the day from the month", "data.interactions.time_format"],
    ),
    "time beyond the calendar": (
        parquet_instead(PAIRS, timestamp=pa.array([0, 2**62, 0], pa.timestamp("us"))),
        ["interactions.parquet", "'timestamp'", "row 2 ('<value out of range: 4"],
    ),
    "bytes in a view": (
        parquet_instead(PAIRS, rating=pa.array([b"1", b"x", b"2"], pa.binary_view())),
        ["interactions.parquet", "'rating' must be a number", "row 2 (b'x')"],
    ),
    "unknown event": (
        edit(LOG, "click", "share"),
        [LOG, "'event'", "data.event_weights", "line 3 ('share')"],
    ),
    "blank event": (edit(LOG, "click", ""), [LOG, "'event'", "line 3 ('')"]),
    "unknown item": (
        edit(LOG, "1,11", "1,99"),
        [LOG, "'item_id' must be an id in items.csv", "line 3 ('99')"],
    ),
    "unknown user": (
        edit(LOG, "2,12", "3,12"),
        [LOG, "'user_id' must be an id in users.csv", "line 5 ('3')"],
    ),
    "an accent that is a character of its own": (
        lambda shop: (
            shop.bare("user,item\n1,cafe\u0301\n2,b\n"),
            shop.write("items.csv", "item_id\ncaf\u00e9\nb\n"),
        ),
        [LOG, "must be an id in items.csv", "data.unicode: nfc", "line 2 ("],
    ),
    "text among integers": (
        edit(LOG, "1,11", "1,x11"),
        [LOG, "items.csv (integers such as 10)", "line 3 ('x11')"],
    ),
    "text in the table": (
        edit("items.csv", "12,Mat", "012,Mat"),
        [LOG, "items.csv (text such as '012')", "line 5 ('12')"],
    ),
    "integers here, text there": (
        lambda shop: (
            parquet_instead(PAIRS)(shop),
            shop.write("items.csv", "item_id,category,price\n10,a,1\n11,a,1\n12,a,1\nx,a,1\n"),
        ),
        [
            "interactions.parquet: column 'item_id': ids are integers such as 10",
            "items.csv: column 'item_id' are text such as 'x'",
            "data.items.id_type",
        ],
    ),
    "an id that is not the declared integer": (
        lambda shop: (
            edit(LOG, "1,11", "x,11")(shop),
            shop.data["users"].update(id_type="integer"),
        ),
        [LOG, "'user_id' must be an integer (data.users.id_type: integer)", "line 3 ('x')"],
    ),
    "header in mid-file": (
        lambda shop: shop.write(LOG, INTERACTIONS + INTERACTIONS),
        [LOG, "'user_id' must not be the header again", "1 invalid row: line 8 ('user_id')"],
    ),
    "header in a table": (
        edit("users.csv", "2,Bo", "user_id,name,city,email\n2,Bo"),
        ["users.csv: column 'user_id' must not be the header again", "line 3 ('user_id')"],
    ),
    "the header again, in capitals and another order": (
        lambda shop: shop.bare("user_id,item_id\n1,10\nITEM_ID,USER_ID\n2,11\n"),
        [LOG, "column 'user_id' must not be the header again", "line 3 ('ITEM_ID')"],
    ),
    "the header of a table again, in capitals": (
        edit("users.csv", "2,Bo", "USER_ID,Name,City,Email\n2,Bo"),
        ["users.csv: column 'user_id' must not be the header again", "line 3 ('USER_ID')"],
    ),
    "header taken for data": (
        lambda shop: (
            shop.bare("user_id,item_id\na,x\nb,y\n"),
            shop.data.update(header=False, interactions={"columns": {"user": 1, "item": 2}}),
        ),
        [LOG, "column '1' must not be a header (data.header)", "line 1 ('user_id')"],
    ),
    "data taken for a header": (
        lambda shop: (
            shop.bare("a,x\nb,x\nb,y\na,z\n"),
            shop.data.update(interactions={"columns": {"user": "a", "item": "x"}}),
        ),
        [LOG, "if the first row is data, set data.header: false", "2 invalid rows: line 2 ('b')"],
    ),
    "values for names": (
        lambda shop: (
            shop.bare("a,7,note\nb,8,x\n"),
            shop.data.update(interactions={"columns": {"user": "a", "item": "7"}}),
        ),
        [LOG, "is there a header? The item column '7'", "data.header: false"],
    ),
    "first row named as header, but for its time": (
        lambda shop: (
            shop.bare("u0,i0,1,2024-01-01\nu1,i1,5,2024-01-02\n"),
            shop.data.update(interactions={"columns": {"user": "u0", "item": "i0"}}),
        ),
        [LOG, "is there a header? The column '1'", "data.header: false"],
    ),
    "first row named as header": (
        lambda shop: (
            shop.bare("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "interactions.tsv"),
            shop.data.update(interactions={"columns": {"user": "196", "item": "242"}}),
        ),
        ["interactions.tsv: is there a header?", "196, 242, 3, 881250949", "data.header: false"],
    ),
    "parts that differ": (
        lambda shop: (
            shop.write("parts/a.csv", "user,item\n1,10\n"),
            shop.write("parts/b.csv", "user,item,rating\n1,10,3\n"),
            shop.data.update(interactions={"file": "parts"}),
        ),
        ["b.csv: has other columns than", "a.csv: 'rating'"],
    ),
    "invalid row of a part": (
        lambda shop: (
            shop.write("parts/a.csv", "user,item\n1,10\n"),
            shop.write("parts/b.csv", "item,user\n10,1\n,1\n"),
            shop.data.update(interactions={"file": "parts/*.csv"}),
        ),
        ["column 'item' must not be blank", "1 invalid row: b.csv: line 3 ('')"],
    ),
    "folder without data": (
        lambda shop: (
            shop.write("parts/_SUCCESS", "ok"),
            shop.data.update(interactions={"file": "parts"}),
        ),
        ["parts: no such file", "data.interactions.file"],
    ),
    "a spreadsheet": (write(LOG, b"PK\x03\x04abc"), [LOG, "a spreadsheet or a zip archive", "CSV"]),
    "a compressed file": (write(LOG, b"BZh9abc"), [LOG, "compressed by bzip2; decompress it"]),
    "an array of JSON": (
        lambda shop: (shop.bare('[{"user": 1, "item": 2}]\n', "interactions.jsonl"),),
        ["interactions.jsonl: line 1", "JSON object of its own", "jq -c '.[]'"],
    ),
    "half a JSON object": (
        lambda shop: shop.bare('{"user": 1, "item": 2}\n{"user": 1\n', "interactions.jsonl"),
        ["interactions.jsonl: line 2", "JSON object of its own"],
    ),
    "a decimal comma": (
        edit("items.csv", "1.5", '"1,5"'),
        ["items.csv", "'price' is a numeric feature", "line 2 ('1,5')", "data.decimal"],
    ),
    "float ids": (
        parquet_instead(PAIRS.assign(item_id=[10.5, 11, 12])),
        ["interactions.parquet: column 'item_id': ids must be text or integers", "double"],
    ),
    "duplicate id": (
        edit("items.csv", "12,Mat", "10,Mat"),
        ["items.csv", "'item_id' must not repeat an id", "line 4 ('10')"],
    ),
    "blank id": (edit("users.csv", "2,Bo", ",Bo"), ["users.csv", "must not be blank", "line 3"]),
    "bad number": (
        edit("items.csv", "1.5", "cheap"),
        ["items.csv", "'price' is a numeric feature", "line 2 ('cheap')"],
    ),
    "huge number": (edit("items.csv", "1.5", "1e300"), ["items.csv", "'price'", "'1e300'"]),
    "unknown split": (
        lambda shop: (
            write(LOG, "user,item,part\n1,10,train\n2,11,dev\n")(shop),
            setting("split", strategy="given", column="part")(shop),
        ),
        [LOG, "'part' must be one of train, validation", "line 3 ('dev')"],
    ),
    "many offenders": (
        write(LOG, HEADER + "1,10,never,view\n" * 7),
        [LOG, "7 invalid rows: line 2 ('never'), line 3 ('never'), line 4 ('never'), …"],
    ),
    # what is left
    "one user": (write(LOG, ONE_USER), [LOG, "at least two users", "have 1 user ("]),
    "one item": (write(LOG, ONE_ITEM), [LOG, "at least two users and two items", "have 1 item ("]),
    "root holds the outputs": (
        lambda shop: shop.data.update(root=str(shop.folder)),
        ["data.root must not contain the outputs"],
    ),
    # a split that is given
    "given nowhere": (setting("split", strategy="given"), ["split.files or split.column"]),
    "given twice": (
        setting("split", strategy="given", column="event", files={"train": LOG}),
        ["either split.files or split.column"],
    ),
    "given without train": (
        setting("split", strategy="given", files={"test": LOG}),
        ["split.files.train"],
    ),
    "given file for two splits": (
        setting("split", strategy="given", files={"train": LOG, "test": f"./{LOG}"}),
        ["split.files", f"./{LOG} is used for both train and test"],
    ),
    "given file missing": (
        setting("split", strategy="given", files={"train": LOG, "test": "t.csv"}),
        ["t.csv: no such file", "split.files.test"],
    ),
    "given files differ": (
        lambda shop: (
            shop.write("test.csv", "user_id,item_id,event\n1,10,view\n"),
            shop.split.update(strategy="given", files={"train": LOG, "test": "test.csv"}),
        ),
        ["test.csv: no timestamp column", "interactions.csv has 'timestamp'"],
    ),
    "nothing given as train": (
        lambda shop: (
            shop.write(LOG, "user,item,part\n1,10,test\n2,11,test\n"),
            shop.split.update(strategy="given", column="part"),
        ),
        ["the training split has no valid rows"],
    ),
}
SEVERAL = {"encoding not for files": 3, "wrong separator": 4, "duplicate id": 2, "blank id": 2}
"""Problems of the cases that have more than one."""
WEIGHT = {
    "negative weight": "-1",
    "nan weight": "nan",
    "infinite weight": "inf",
    "no number": "5 stars",
    "blank weight": "",
    "huge weight": "1e31",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A folder in which the shop was prepared as it is."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.run()
    return shop.folder


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error_and_changes_nothing(shop, outputs, case):
    for name in ("data", "metrics"):
        shutil.copytree(outputs / name, shop.folder / name)
    before = shop.files()
    change, words = BAD[case]
    change(shop)
    with pytest.raises(TwoTowerError) as caught:
        shop.run()
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert message.count("\n- ") == SEVERAL.get(case, 0)
    assert ("\n" in message) == (case in SEVERAL)
    assert shop.files() == before


@pytest.mark.parametrize("cell", WEIGHT.values(), ids=WEIGHT)
def test_bad_weight(shop, cell):
    shop.bare(f"user,item,rating\n1,10,3\n2,11,{cell}\n")
    with pytest.raises(TwoTowerError) as caught:
        shop.run()
    message = str(caught.value)
    assert "'rating' must be a number from 0" in message
    assert ("data.decimal" in message) == (cell in ("nan", "inf", "5 stars"))
    assert f"line 3 ({cell!r})" in message


def test_rows_that_all_weigh_nothing(shop):
    shop.bare("user,item,rating\n1,10,0\n1,11,0\n2,10,1e-60\n2,11,5\n")
    shop.split = {"validation": 0, "test": 0.5}
    with pytest.raises(TwoTowerError, match=r"columns\.weight: every training row has weight 0"):
        shop.run()
    shop.split = {"validation": 0, "test": 0}
    assert shop.run()["rows"]["train"] == 4


def test_no_separator_and_no_extension(shop):
    shop.bare("1 2\n", name="pairs.dat")
    shop.data["interactions"] = {"file": "pairs.dat"}
    with pytest.raises(
        TwoTowerError, match=r"pairs\.dat: cannot tell the format from the extension '\.dat'"
    ):
        shop.run()


def test_blank_id_in_an_adjacency_list(shop):
    shop.bare("1,2,3\n4,,5\n", name="pairs.csv")
    shop.data |= {"separator": ",", "interactions": {"file": "pairs.csv", "format": "adjacency"}}
    with pytest.raises(TwoTowerError, match=r"'item' must not be blank; .* line 2 \(''\)"):
        shop.run()


def run_stage(shop: Any, encoding: str) -> subprocess.CompletedProcess[str]:
    (shop.folder / "params.yaml").write_text(yaml.safe_dump(shop.params()))
    return subprocess.run(
        [sys.executable, STAGE],
        cwd=shop.folder,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        encoding=encoding,
        check=False,
    )


def test_the_stage_exits_with_one_line(shop):
    change, words = BAD["undecodable byte"]
    change(shop)
    done = run_stage(shop, "utf-8")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert [word for word in words if word not in done.stderr] == []
    assert not shop.output.exists()


def test_the_stage_can_say_what_the_output_has_no_letters_for(shop):
    shop.data["items"]["features"]["色"] = {"kind": "categorical", "optional": True}
    done = run_stage(shop, "ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"items: no column for \u8272" in done.stdout


def test_a_table_without_a_valid_id_is_an_error_of_the_table(shop):
    shop.data["items"]["id_type"] = "integer"
    shop.write("items.csv", "item_id,category,price\nA,office,1\nB,home,2\n")
    with pytest.raises(TwoTowerError, match=r"items\.csv: column 'item_id' must be an integer"):
        shop.run()
