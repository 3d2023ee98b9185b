"""What destinations are told of an export."""

from twotower.export.destination import DESTINATIONS, Destination, Field, Kind, Schema

SCHEMA = Schema("items", "0123456789ab", "f" * 64, 2, 3, (Field("item_id", Kind.INTEGER),))


def test_only_versions_of_the_same_name_are_its_own() -> None:
    assert SCHEMA.target == "items_0123456789ab"
    assert SCHEMA.is_version("items_fedcba987654")
    for other in (
        "items",
        "items_",
        "0123456789ab",
        "items_0123456789a",
        "items_0123456789abc",
        "items_0123456789aX",
        "my_items_0123456789ab",
        "items_users_0123456789ab",
    ):
        assert not SCHEMA.is_version(other), other


def test_every_destination_says_what_it_needs() -> None:
    for row in DESTINATIONS.values():
        assert row.summary
        assert not isinstance(row, Destination) or row.batch > 0
