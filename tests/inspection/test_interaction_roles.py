from collections.abc import Sequence
from typing import Any

import pytest

from tests.inspection.columns import sample
from twotower.inspection.interaction_roles import (
    UNREAD_TIME,
    find_roles,
    known_weight,
    other_uses,
    takes_back,
)

USERS = [f"{n % 30}" for n in range(240)]
ITEMS = [f"i{n * 7 % 24}" for n in range(240)]
TIMES = [str(1_735_732_800 + n * 3_600) for n in range(240)]
DAYS = [f"2025-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(240)]
STARS = [str(1 + n % 5) for n in range(240)]


def roles_of(*, header: bool = True, **columns: Sequence[Any]) -> dict[str, str]:
    roles = find_roles(sample(header=header, **columns))
    return {role: column.name for role, column in roles.columns.items()}


def doubts_of(**columns: Sequence[Any]) -> list[str]:
    return [f"{doubt.key[-1]}: {doubt.text}" for doubt in find_roles(sample(**columns)).doubts]


def test_names_in_several_languages() -> None:
    assert roles_of(Kunde=USERS, Artikel=ITEMS, Datum=DAYS) == {
        "user": "Kunde",
        "item": "Artikel",
        "timestamp": "Datum",
    }
    assert doubts_of(Kunde=USERS, Artikel=ITEMS, Datum=DAYS) == []


def test_without_a_header_values_tell() -> None:
    found = roles_of(header=False, _1=USERS, _2=ITEMS, _3=STARS, _4=TIMES)
    assert found == {"user": "1", "item": "2", "weight": "3", "timestamp": "4"}


def test_unknown_names_are_doubts() -> None:
    assert roles_of(a=USERS, b=ITEMS, c=DAYS) == {"user": "a", "item": "b", "timestamp": "c"}
    assert doubts_of(a=USERS, b=ITEMS, c=DAYS) == [
        "timestamp: column c was taken for it, by its values",
        "user: column a was taken for it, by its values",
        "item: column b was taken for it, by its values",
    ]


def test_numbers_under_a_name_are_no_ratings() -> None:
    assert "weight" not in roles_of(a=USERS, b=ITEMS, c=STARS)


def test_an_id_that_is_mostly_blank_gives_way() -> None:
    blank = ["" if n > 9 else "7" for n in range(240)]
    found = roles_of(user_id=blank, user_pseudo_id=USERS, item_id=ITEMS)
    assert found["user"] == "user_pseudo_id"
    assert doubts_of(user_id=blank, user_pseudo_id=USERS, item_id=ITEMS) == [
        "user: user_id has the name of one, but is mostly blank"
    ]


def test_a_weight_with_gaps_says_how_many() -> None:
    gaps = ["" if n % 3 == 0 else "4" for n in range(240)]
    assert doubts_of(user=USERS, item=ITEMS, rating=gaps) == [
        "weight: rating has the name of one, but 33% of the rows lack it"
    ]


def test_two_as_good_names_are_a_doubt() -> None:
    found = doubts_of(user_id=USERS, sku=ITEMS, asin=ITEMS)
    assert found == ["item: sku was taken for it, but it may also be asin"]


def test_times_of_day_beat_days() -> None:
    assert roles_of(user=USERS, item=ITEMS, order_date=DAYS, created_at=TIMES)["timestamp"] == (
        "created_at"
    )


def test_a_clock_beside_a_date_is_told() -> None:
    clock = ["14:05"] * 240
    found = doubts_of(user=USERS, item=ITEMS, fecha=DAYS, hora=clock)
    assert found == [f"timestamp: hora {UNREAD_TIME}"]


def test_times_that_are_not_read_are_told() -> None:
    weeks = [f"2025-W{1 + n % 50:02}" for n in range(240)]
    assert roles_of(user=USERS, item=ITEMS, fecha=weeks) == {"user": "user", "item": "item"}
    assert doubts_of(user=USERS, item=ITEMS, fecha=weeks) == [f"timestamp: fecha {UNREAD_TIME}"]


def test_numbers_that_would_be_refused_are_no_times() -> None:
    ticks = [str(133_500_000_000_000_000 + n * 10**12) for n in range(240)]
    assert "timestamp" not in roles_of(user=USERS, item=ITEMS, timestamp=ticks)
    assert doubts_of(user=USERS, item=ITEMS, timestamp=ticks) == [
        f"timestamp: timestamp {UNREAD_TIME}"
    ]


def test_places_in_an_order() -> None:
    places = [str(1 + n // 30) for n in range(240)]
    assert roles_of(user=USERS, item=ITEMS, timestamp=places)["timestamp"] == "timestamp"
    found = doubts_of(user=USERS, item=ITEMS, timestamp=places)
    assert found[0].startswith("timestamp: timestamp has numbers that are no usual times: an order")


@pytest.mark.parametrize(
    ("name", "values", "is_event"),
    [
        ("accion", ["vista", "compra"] * 120, True),
        ("x", ["vista", "compra"] * 120, True),  # by its values
        ("type", ["view", "buy"] * 120, True),
        ("type", ["web", "app"] * 120, False),
        ("event_type", ["web", "app"] * 120, True),
    ],
)
def test_events(name: str, values: list[str], is_event: bool) -> None:
    assert ("event" in roles_of(user=USERS, item=ITEMS, **{name: values})) == is_event


@pytest.mark.parametrize(
    ("values", "is_weight"),
    [(STARS, True), (["-1", "2"] * 120, False), (["1", ""] * 120, False), (["1,5"] * 240, True)],
)
def test_weights_are_numbers_from_zero(values: list[str], is_weight: bool) -> None:
    assert ("weight" in roles_of(user=USERS, item=ITEMS, rating=values)) == is_weight


def test_amounts_and_splits_are_only_proposed() -> None:
    made = sample(user=USERS, item=ITEMS, importe=STARS, fold=["train", "test"] * 120)
    roles = find_roles(made)
    assert roles.columns.keys() == {"user", "item"}
    assert [(doubt.key[-1], doubt.text.split()[0]) for doubt in other_uses(made, roles)] == [
        ("weight", "importe"),
        ("file", "fold"),
    ]


def test_email_addresses_are_a_last_resort() -> None:
    people = [f"u{user}@example.com" for user in USERS]
    assert roles_of(Email=people, sku=ITEMS)["user"] == "Email"
    assert "Email is personal" in doubts_of(Email=people, sku=ITEMS)[0]
    assert roles_of(Email=people, customer=USERS, sku=ITEMS)["user"] == "customer"


def test_a_name_of_something_else_is_no_id() -> None:
    assert "user" not in roles_of(item_id=ITEMS, item_name=ITEMS, quantity=STARS)


@pytest.mark.parametrize(("event", "weight"), [("Ansicht", 1), ("addtocart", 3), ("share", None)])
def test_known_weights(event: str, weight: float | None) -> None:
    assert known_weight(event) == weight


@pytest.mark.parametrize(
    ("event", "back"),
    [("remove_from_cart", True), ("refund", True), ("Storno", True), ("view", False)],
)
def test_what_takes_interest_back(event: str, back: bool) -> None:
    assert takes_back(event) == back
