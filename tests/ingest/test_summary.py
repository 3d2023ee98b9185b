"""What metrics/data.json and the terminal say of held-out rows, times and ids."""

import pytest

from twotower.common.errors import DataError
from twotower.ingest.summary import not_used, summary

SHARE = "user and time with training rows;"
CUTOFF = "split.strategy: cutoff"
TOGETHER = "split.strategy: temporal with split.ties: together"
NO_VALIDATION = " and split.validation: 0"


def baskets(num_users: int, dates: list[str]) -> str:
    """Six items a date, in the order of the items."""
    lines = [
        f"{user},{item},{date}"
        for user in range(num_users)
        for place, date in enumerate(dates)
        for item in range(6 * place, 6 * place + 6)
    ]
    return "\n".join(["user,item,date", *lines]) + "\n"


TWO_DATES = baskets(40, ["2025-03-01", "2025-03-08"])


def tied(report):
    return {name: hidden["tied_rows"] for name, hidden in report["hidden"].items()}


def test_parts_of_baskets_are_counted(shop):
    shop.bare(TWO_DATES)
    report = shop.run()
    assert report["rows"] == {"train": 360, "validation": 80, "test": 40, "total": 480}
    assert report["hidden"]["test"]["train_rows_later_share"] == 0
    # Of the six items of the second date, three are in training, two in validation, one in test.
    assert tied(report) == {"validation": 80, "test": 40}
    ways = f"{CUTOFF}{NO_VALIDATION}, or {TOGETHER}{NO_VALIDATION}"
    note = f"80 validation and 40 test rows share {SHARE} {ways} keeps such rows together"
    assert f"  {note}" in summary(report).splitlines()


def test_test_rows_tied_with_validation_rows_alone_are_counted(shop):
    shop.bare("user,item,timestamp\n1,10,1\n1,11,2\n1,12,3\n1,13,3\n2,10,3\n2,11,4\n")
    report = shop.run()
    assert tied(report) == {"validation": 0, "test": 1}
    assert f"1 test row shares {SHARE} {CUTOFF}, or {TOGETHER} keeps" in summary(report)


@pytest.mark.parametrize(
    ("dates", "ways"),
    [
        (["2025-03-01"] * 2, "only split.strategy: given"),
        (["2025-03-01", "2025-03-08"], f"{CUTOFF}, or {TOGETHER}"),
    ],
)
def test_what_works_on_the_data_is_advised(shop, dates, ways):
    shop.bare(baskets(3, dates))
    shop.split["validation"] = 0
    assert f"{SHARE} {ways} keeps such rows together" in summary(shop.run())


def test_a_moment_is_a_second_as_in_the_prepared_files(shop):
    shop.bare("user,item,timestamp\n1,10,1\n1,11,2.2\n1,12,2.7\n2,10,1\n2,11,2\n")
    shop.split = {"validation": 0, "test": 0.1}
    assert tied(shop.run()) == {"validation": 0, "test": 1}
    assert shop.read("test")["item_id"].tolist() == [12, 11]
    shop.split["ties"] = "together"
    assert tied(shop.run()) == {"validation": 0, "test": 0}
    assert shop.read("test")["item_id"].tolist() == [11, 12, 11]


@pytest.mark.parametrize("strategy", ["temporal", "leave_last_out", "random"])
def test_together_holds_out_whole_baskets(shop, strategy):
    shop.bare(baskets(40, ["2025-03-01", "2025-03-08", "2025-03-09"]))
    shop.split |= {"strategy": strategy, "ties": "together"}
    report = shop.run()
    assert report["rows"] == {"train": 240, "validation": 240, "test": 240, "total": 720}
    assert tied(report) == {"validation": 0, "test": 0}
    assert "share user and time" not in summary(report)


def test_cutoff_ties_no_rows(shop):
    shop.bare(baskets(40, ["2025-03-01", "2025-03-08", "2025-03-09"]))
    shop.split["strategy"] = "cutoff"
    assert tied(shop.run()) == {"validation": 0, "test": 0}


def test_a_split_that_no_basket_is_left_for_is_an_error(shop):
    shop.bare(TWO_DATES)
    shop.split["ties"] = "together"
    with pytest.raises(DataError, match=r"^split\.validation: no rows are left .* set it to 0"):
        shop.run()
    shop.split["validation"] = 0
    assert shop.run()["rows"] == {"train": 240, "validation": 0, "test": 240, "total": 480}
    shop.bare(baskets(40, ["2025-03-01"]))
    with pytest.raises(DataError, match=r"^split\.test: no rows .* split\.ties: file_order$"):
        shop.run()


def test_together_needs_times(shop):
    shop.bare("user,item\n1,13\n2,11\n1,12\n2,10\n")
    shop.split["ties"] = "together"
    with pytest.raises(DataError, match=r"csv: split\.ties: together needs the time of each event"):
        shop.run()


def test_a_given_split_stays_as_it_is(shop):
    shop.bare("user,item,part\n1,13,train\n2,11,train\n1,12,test\n2,10,test\n")
    shop.split |= {"strategy": "given", "column": "part", "ties": "together"}
    assert shop.run()["rows"] == {"train": 2, "validation": 0, "test": 2, "total": 4}


def test_ids_that_may_mean_none_are_said(shop):
    shop.bare("user,item\na,1\nNULL,2\nnull,1\nNULL,1\n\\N,NA\n")
    said = summary(shop.run()).splitlines()
    rest = "an id like any other: remove it if it means none"
    assert f"  2 rows have the user id 'NULL', {rest}" in said
    assert f"  1 row has the user id '\\\\N', {rest}" in said
    assert f"  1 row has the item id 'NA', {rest}" in said
    assert "  item ids are text because of 'NA' (interactions.csv, line 6); " in "\n".join(said)


def test_what_may_have_been_meant_otherwise_is_said(shop):
    shop.bare("user,item,score,a b,\ncaf\u00e9,1,1.250,x,\ncafe\u0301,2,3,y,\n")
    shop.write("items.csv", "item,price\n1,12.990\n2,990\n")
    shop.data["items"] = {"features": {"price": "numeric"}}
    said = summary(shop.run()).splitlines()
    assert said[4:8] == [
        "  columns: user user, item item, weight score",
        "  1 user id looks like another one: data.unicode: nfc makes them one",
        "  score, price: a point is a decimal mark; if it groups thousands, set data.decimal: ','",
        "  columns not used: a b, ''; data.interactions.columns",
    ]


def test_ids_in_marks_are_said(shop):
    shop.bare("user,item\n'1',a\n'2',b\n'1','b'\n")
    said = [line for line in summary(shop.run()).splitlines() if "in marks" in line]
    assert said == ["  all user ids are in marks, as '1' is, and stay so: only \" is undone"]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (
            (2401010030, 2401010130, 2401020030, 5),
            ("most times are after 2031", "1 time is before"),
        ),
        ((1704067200, 1704067201, 1704067202, 5), ("1 time is before 1980",)),
        ((1704067200, 1704067201, 1704067202, 1704067203), ()),
    ],
)
def test_times_that_are_far_from_now_are_said(shop, times, said):
    rows = "".join(f"{row % 2},{row},{time}\n" for row, time in enumerate(times))
    shop.bare(f"user,item,timestamp\n{rows}")
    lines = summary(shop.run()).splitlines()
    assert len([line for line in lines if "time" in line and "columns" not in line]) == len(said)
    for start in said:
        assert any(line.startswith(f"  {start}") for line in lines)


def test_text_of_spreadsheets_is_undone_and_rounded_numbers_are_said(shop):
    shop.bare('user,item\n="007",1.23457E+12\n="8",7\n"=""8""",7\n')
    said = summary(shop.run()).splitlines()
    assert set(shop.everything()["user_id"]) == {"007", "8"}
    text = "item ids such as 1.23457E+12 look like numbers that a spreadsheet has rounded"
    assert f"  {text}" in said


def test_a_table_that_is_switched_off_is_said(shop):
    assert "no table" not in summary(shop.run())
    (shop.root / "users.csv").unlink()
    shop.data["users"], shop.data["items"] = {}, {"file": False}
    report = shop.run()
    files = {"interactions": "interactions.csv", "users": None, "items": False}
    assert report["source"]["files"] == files
    assert "  items: no table (data.items.file: false)" in summary(report).splitlines()
    assert "users: no table" not in summary(report)


@pytest.mark.parametrize(("prices", "is_said"), [(("1,5", "4,25"), True), (("1,5", "4"), False)])
def test_a_column_of_numbers_in_another_form_is_said(shop, prices, is_said):
    first, second = prices
    shop.write("items.csv", f'item_id,category,price\n10,a,"{first}"\n11,b,"{second}"\n12,b,\n')
    shop.data["on_invalid"] = "drop"
    hint = (
        "  items: most values of price are no numbers; of numbers such as 112,88 or 1,234.5, "
        "data.decimal settles the mark"
    )
    assert (hint in summary(shop.run()).splitlines()) == is_said
    shop.data["decimal"] = ","
    assert "most values" not in summary(shop.run())


def test_why_rows_were_dropped_is_said(shop):
    shop.bare(
        "user,item,timestamp\n1,10,2024-01-01\n,11,2024-01-02\n1,,2024-01-02\n2,11,2024-01-02\n2,\n"
    )
    shop.data["on_invalid"] = "drop"
    report = shop.run()
    reasons = "1 blank_item, 1 blank_user, 1 wrong_number_of_fields"
    assert list(not_used(report)) == [f"interactions: dropped 3 of 5 rows: {reasons}"]
    assert f"  interactions: dropped 3 of 5 rows: {reasons}" in summary(report).splitlines()


def test_one_is_not_many(shop):
    shop.write("items.csv", "item_id,category,price\n10,a,1.5\n11,b,x\n12,b,\n13,b,2\n")
    shop.data["on_invalid"] = "drop"
    shop.write(
        "interactions.csv", "user_id,item_id,timestamp\n1,10,1\n1,11,2\n1,12,3\n2,12,1\n2,13,9\n"
    )
    shop.split |= {"validation": 0, "test": 0.2, "strategy": "cutoff"}
    said = summary(shop.run()).splitlines()
    assert "  items: 1 invalid value counts as missing" in said
    assert "  test: 1 row, 1 user, 1 row with a user or item that train lacks" in said
