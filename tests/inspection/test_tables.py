import pytest

from tests.inspection.columns import sample
from twotower.inspection.interaction_roles import find_roles
from twotower.inspection.sample import TableSample
from twotower.inspection.tables import Tables, assign, file_role, to_be_joined

USERS = [f"{n % 30}" for n in range(240)]
ITEMS = [f"{n * 7 % 24}" for n in range(240)]
EVENTS = sample("ratings.csv", userId=USERS, movieId=ITEMS, rating=["3", "4"] * 120)
MOVIES = sample("movies.csv", movieId=[str(n) for n in range(24)], title=["It"] * 24)
PEOPLE = sample("people.csv", userId=[str(n) for n in range(30)], age=["18"] * 30)


def assigned(*samples: TableSample) -> Tables:
    tables = assign([(each, find_roles(each)) for each in samples])
    assert tables is not None
    return tables


def sides(tables: Tables) -> dict[str, str]:
    return {role: side.sample.file for role, side in tables.sides.items()}


@pytest.mark.parametrize(
    ("file", "role"),
    [
        ("ventas.csv", "interactions"), ("export_ventas_2025.csv", "interactions"),
        ("Kunden.csv.gz", "users"), ("olist_customers_dataset.csv", "users"),
        ("olist_order_items_dataset.csv", "interactions"), ("u.user", "users"),
        ("u.item", "items"), ("BX-Books.csv", "items"), ("part-*.csv", None),
        ("stuff.csv", None), ("userEvents", "interactions"),
    ],
)  # fmt: skip
def test_role_by_the_name_of_the_file(file: str, role: str | None) -> None:
    assert file_role(file) == role


def test_three_tables() -> None:
    tables = assigned(MOVIES, EVENTS, PEOPLE)
    assert tables.interactions is EVENTS
    assert sides(tables) == {"items": "movies.csv", "users": "people.csv"}
    assert tables.doubts == []


def test_integers_join_with_anything_but_names_decide() -> None:
    numbers = sample("numbers.csv", x=[str(n) for n in range(40)], y=["1", "2"] * 20)
    assert sides(assigned(EVENTS, numbers)) == {}
    users = sample("users.csv", x=[str(n) for n in range(40)], y=["1", "2"] * 20)
    assert sides(assigned(EVENTS, users)) == {"users": "users.csv"}


def test_a_second_file_of_events_is_no_table() -> None:
    tags = sample("tags.csv", userId=USERS[:60], movieId=ITEMS[:60], tag=["fun", "new"] * 30)
    tables = assigned(tags, EVENTS)
    assert tables.interactions is EVENTS
    assert sides(tables) == {}


def test_files_as_good_are_a_doubt() -> None:
    other = sample("reviews.csv", userId=USERS[:90], movieId=ITEMS[:90], rating=["3"] * 90)
    tables = assigned(other, EVENTS)
    assert tables.interactions is EVENTS  # which has more rows
    assert [doubt.text for doubt in tables.doubts] == ["the interactions may also be reviews.csv"]


def test_parts_of_a_given_split_are_told() -> None:
    train = sample("train.csv", user=USERS, item=ITEMS)
    test = sample("test.csv", user=USERS * 2, item=ITEMS * 2)
    assert assigned(test, train).interactions is train
    assert "see split.files" in assigned(train, test).doubts[0].text


def test_missing_and_repeated_ids() -> None:
    some = sample("movies.csv", movieId=[str(n) for n in range(3, 24)] + ["3"], x=["1"] * 22)
    side = assigned(EVENTS, some).sides["items"]
    assert (sorted(side.missing), side.repeated) == (["0", "1", "2"], ["3"])


def test_a_table_of_other_ids_is_left_out_and_told() -> None:
    others = sample("movies.csv", movieId=[f"tt{n}" for n in range(24)], x=["1"] * 24)
    tables = assigned(EVENTS, others)
    assert sides(tables) == {}
    assert "movies.csv is called like them, but no column has most" in tables.doubts[0].text


def test_just_id_is_no_name_of_anything() -> None:
    ids = [str(n) for n in range(40)]
    assert sides(assigned(EVENTS, sample("brands.csv", id=ids, brand=ids))) == {}
    assert sides(assigned(EVENTS, sample("items.csv", id=ids, brand=ids))) == {"items": "items.csv"}


def test_integers_with_decimals_are_integers() -> None:
    floats = sample("movies.csv", movieId=[f"{n}.0" for n in range(24)], x=["1"] * 24)
    assert assigned(EVENTS, floats).sides["items"].missing == []


def test_a_table_alone_is_no_log_of_events() -> None:
    brands = [f"brand {n % 25}" for n in range(240)]
    goods = sample("goods.csv", product_id=[str(n) for n in range(240)], x=brands)
    assert assign([(goods, find_roles(goods))]) is None


def test_everybody_may_have_bought_once() -> None:
    once = sample("x.csv", user_id=[str(n) for n in range(240)], item_id=ITEMS)
    assert assigned(once).interactions is once


def test_nothing_to_learn_from() -> None:
    assert assign([(MOVIES, find_roles(MOVIES)), (PEOPLE, find_roles(PEOPLE))]) is None
    assert assign([]) is None


def test_orders_and_their_lines() -> None:
    orders = sample("orders.csv", order_id=[f"o{n}" for n in range(240)], customer_id=USERS)
    goods = sample("lines.csv", order_id=[f"o{n}" for n in range(240)], product_id=ITEMS)
    found = [(each, find_roles(each)) for each in (orders, goods)]
    assert to_be_joined(found) == ("orders.csv", "lines.csv", "order_id")
    assert to_be_joined([*found, (EVENTS, find_roles(EVENTS))]) is None
