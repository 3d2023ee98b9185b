"""One run says everything that is wrong with the raw files."""

import io
from typing import Any

import pandas as pd
import pytest

from twotower.common.errors import ConfigError, DataError
from twotower.ingest.problems import SHOWN, Problems

SALES = """cliente;articulo;fecha;evento
1;10;2025-03-01 10:00;vista
1;11;ayer;compra
;10;2025-03-02 10:00;compra
2;99;2025-03-03 10:00;regalo
2;11;2025-03-03;regalo;x
"""
PRODUCTS = "articulo;categoria;precio\n10;hogar;12,50\n11;hogar;caro\n11;mesa;3,00\n"


def problems_of(shop: Any) -> list[str]:
    """Lines of the message, without the folder."""
    with pytest.raises(DataError) as caught:
        shop.run()
    assert not shop.output.exists()
    return str(caught.value).replace(f"{shop.root}/", "").split("\n")


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


@pytest.fixture
def spanish(shop: Any) -> Any:
    shop.bare(SALES, "ventas.csv")
    shop.write("productos.csv", PRODUCTS)
    shop.data |= {
        "separator": ";",
        "interactions": {"file": "ventas.csv"},
        "items": {"features": {"precio": "numeric", "marca": "categorical"}},
    }
    return shop


def test_a_messy_export(spanish):
    first, *problems, advice = problems_of(spanish)
    assert first == "8 problems with the raw files:"
    expected = [
        ("productos.csv: no column for feature 'marca'", "data.items.features"),
        ("productos.csv: column 'articulo' must not repeat an id", "line 4 ('11')"),
        ("productos.csv: column 'precio' is a numeric feature", "3 invalid rows: line 2 ('12,50')"),
        ("ventas.csv: every row must have 4 fields", "1 invalid row: line 6 (5 fields)"),
        ("ventas.csv: column 'cliente' must not be blank", "1 invalid row: line 4 ('')"),
        ("ventas.csv: column 'articulo' must be an id in productos.csv", "line 5 ('99')"),
        ("ventas.csv: column 'fecha' must be a time", "1 invalid row: line 3 ('ayer')"),
        ("ventas.csv: column 'evento' must be an event type", "1 invalid row: line 5 ('regalo')"),
    ]
    for problem, (start, word) in zip(problems, expected, strict=True):
        assert problem.startswith(f"- {start}")
        assert word in problem
    assert advice == "for invalid rows, fix the file or set data.on_invalid: drop"


def test_what_cannot_be_dropped_is_left(spanish):
    spanish.data["on_invalid"] = "drop"
    [problem] = problems_of(spanish)
    assert problem.startswith("productos.csv: no column for feature 'marca'")


def test_a_file_that_is_missing_ends_no_check_of_another(shop):
    shop.write("users.csv", "user_id\n1\n1\n")
    (shop.root / "interactions.csv").unlink()
    _, feature, repeated, missing, _ = problems_of(shop)
    assert feature.startswith("- users.csv: no column for feature 'city'")
    assert repeated.startswith("- users.csv: column 'user_id' must not repeat an id")
    assert missing.startswith(f"- {shop.root}: no interactions file")


def test_rows_of_a_table_that_are_not_read_make_no_id_unknown(shop):
    shop.write("items.csv", "item_id,category,price\n10,a,1\n11,a\n12,a,2\n")
    shop.write("interactions.csv", "user,item,timestamp\n1,11,2024-01-01\n2,12,soon\n")
    _, *problems, _ = problems_of(shop)
    assert [problem.split(";")[0] for problem in problems[:1]] == [
        "- items.csv: every row must have 3 fields, like the first"
    ]
    assert len(problems) == 2
    assert problems[1].startswith("- interactions.csv: column 'timestamp' must be a time")


def test_a_row_is_told_once_for_each_column(shop):
    shop.bare("user,item,rating\n1,10,\n,11,x\n2,12,-1\nuser,item,rating\n2,10,3\n")
    shop.split = {"strategy": "random"}
    _, *problems, _ = problems_of(shop)
    places = [problem.split("; ")[-1] for problem in problems]
    assert places == [
        "1 invalid row: line 5 ('user')",  # and nothing else of that row
        "1 invalid row: line 3 ('')",
        "1 invalid row: line 2 ('')",
        "1 invalid row: line 3 ('x')",
        "1 invalid row: line 4 ('-1')",
    ]


def test_of_a_blank_row_nothing_else_is_said(shop):
    shop.write("interactions.csv", "user,item,timestamp,event\n1,10,2024-01-01,view\n,,,\n")
    [problem] = problems_of(shop)
    assert problem.startswith("interactions.csv: column 'user' must not be blank; 1 invalid row")


def test_times_that_nothing_tells_apart_end_no_other_check(shop):
    shop.bare("user,item,fecha,event\n1,10,01/02/2024,gift\n2,11,03/04/2024,view\n")
    _, times, events, _ = problems_of(shop)
    assert "nothing tells the day from the month" in times
    assert "1 invalid row: line 2 ('gift')" in events


def test_columns_that_are_missing_are_told_together(shop):
    shop.data["interactions"] = {"columns": {"timestamp": "when", "weight": "stars"}}
    _, times, weight = problems_of(shop)
    assert "no column 'when' (data.interactions.columns.timestamp)" in times
    assert "no column 'stars' (data.interactions.columns.weight)" in weight


def test_a_type_that_does_not_fit_ends_only_the_checks_of_its_column(shop):
    frame = pd.DataFrame({"user": [1, 2], "item": [10, 99], "rating": [True, False]})
    shop.bare(parquet(frame), "interactions.parquet")
    shop.write("items.csv", "item_id\n10\n")
    shop.split = {"strategy": "random"}
    _, weight, item, _ = problems_of(shop)
    assert "column 'rating': must be numeric, got type bool" in weight
    assert "must be an id in items.csv" in item


def test_files_of_a_given_split(shop):
    shop.bare("user,item\n1,10\n,11\n", "train.csv")
    shop.write("validation.csv", 'user,item\n1,"10\n2,11\n')
    files = {"train": "train.csv", "validation": "validation.csv", "test": "test.csv"}
    shop.split = {"strategy": "given", "files": files}
    _, missing, damaged, row, _ = problems_of(shop)
    assert "test.csv: no such file (split.files.test)" in missing
    assert damaged.startswith("- validation.csv: line 2: stray or unclosed quotation mark")
    assert "train.csv: column 'user' must not be blank; 1 invalid row: line 3" in row


def test_of_the_rows_of_a_damaged_file_nothing_is_said(shop):
    rows = '1,10,01/02/2024,"view\n1,10,01/02/2024,"x\n2,10,01/02/2024,gift\n'
    shop.bare(f"user,item,fecha,event\n{rows}")
    [problem] = problems_of(shop)
    assert problem.startswith("interactions.csv: line 2: ")
    assert "quotation mark" in problem


def test_one_is_raised_as_it_is():
    problems = Problems()
    with problems.collected():
        raise ConfigError("split.files: nonsense")
    with pytest.raises(ConfigError, match=r"^split\.files: nonsense$"):
        problems.raise_any()


def test_none_raises_nothing():
    Problems().raise_any()


def test_the_same_twice_is_one():
    problems = Problems()
    for _ in range(2):
        problems.add(DataError("data.encoding: no such"))
    with pytest.raises(DataError, match=r"^data\.encoding: no such$"):
        problems.raise_any()


def test_of_very_many_the_first_are_shown():
    problems = Problems()
    for number in range(SHOWN + 2):
        problems.add_rows(f"f.csv: rule {number}")
    with pytest.raises(DataError) as caught:
        problems.raise_any()
    lines = str(caught.value).split("\n")
    assert len(lines) == SHOWN + 3
    assert lines[-2:] == [
        "- and 2 more",
        "for invalid rows, fix the file or set data.on_invalid: drop",
    ]
