import pytest

from twotower.common.errors import DataError
from twotower.ingest.recognised_names import (
    event_weights,
    find_column,
    find_feature,
    find_file,
    normalise,
)

WEIGHTS = {"view": 1.0, "click": 2.0, "cart": 3.0, "purchase": 4.0}


class Header:
    """As much of a source as names need."""

    name = "f.csv"
    typed = False
    values_in_header: frozenset[str] = frozenset()

    def __init__(self, *header: str) -> None:
        self.header = header


@pytest.mark.parametrize(
    ("name", "expected"),
    [(" Puntuación", "puntuacion"), ("Event-Type", "event_type"), ("USER ID", "user_id")],
)
def test_normalise(name, expected):
    assert normalise(name) == expected


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("user", "usuario_id"), ("user", "User_ID"), ("item", "producto_id"),
        ("item", "product_id"), ("item", "item_id"), ("timestamp", "fecha"),
        ("timestamp", "timestamp"), ("event", "tipo_interaccion"), ("event", "event"),
        ("event", "event_type"), ("weight", "puntuacion"), ("weight", "rating"),
        ("weight", "weight"),
    ],
)  # fmt: skip
def test_column_is_recognised(role, name):
    assert find_column(Header("x", name, "y"), role, None, "p") == name


def test_column_as_configured():
    header = Header("a", "fecha", "timestamp")
    assert find_column(header, "timestamp", "a", "p") == "a"
    assert find_column(header, "timestamp", "", "p") is None
    assert find_column(header, "weight", None, "p") is None
    with pytest.raises(DataError, match=r"no column 'b' \(p\); available columns: a, fecha, times"):
        find_column(header, "timestamp", "b", "p")


def test_two_candidates_are_an_error():
    with pytest.raises(DataError, match="more than one timestamp column: fecha, timestamp; set p"):
        find_column(Header("fecha", "timestamp"), "timestamp", None, "p")


def test_features_by_their_own_name_or_a_translation():
    assert find_feature(Header("precio", "price"), "price", "p") == "price"
    assert find_feature(Header("precio"), "price", "p") == "precio"
    assert find_feature(Header("category"), "categoria", "p") == "category"
    assert find_feature(Header("Ciudad"), "city", "p") == "Ciudad"
    assert find_feature(Header("Mood"), "mood", "p") == "Mood"
    with pytest.raises(DataError, match=r"no column for feature 'price' \(p\)"):
        find_feature(Header("name"), "price", "p")
    assert find_feature(Header("name"), "price", "p", optional=True) is None
    with pytest.raises(DataError, match="more than one feature 'price' column"):
        find_feature(Header("Precio", "Price"), "price", "p")


@pytest.mark.parametrize(
    ("event", "weight"),
    [
        ("visto", 1), ("clic", 2), ("agregado_al_carrito", 3), ("compra", 4), ("view", 1),
        ("Click", 2), ("cart", 3), ("add_to_cart", 3), ("Add to cart", 3), ("purchase", 4),
        ("buy", 4), ("share", None), ("", None),
    ],
)  # fmt: skip
def test_event_spellings(event, weight):
    assert event_weights([event], WEIGHTS) == [weight]


def test_configured_spellings_come_first():
    assert event_weights(["visto", "view"], {"visto": 7.0}) == [7.0, 7.0]
    assert event_weights(["visto", "view", "ver"], {"visto": 7.0, "view": 1.0}) == [7.0, 1.0, None]
    assert event_weights(["share"], {"Share": 5.0}) == [5.0]


def test_files(tmp_path):
    assert find_file(tmp_path, "items", None) is None
    (tmp_path / "Productos.CSV.gz").touch()
    assert find_file(tmp_path, "items", None) == tmp_path / "Productos.CSV.gz"
    assert find_file(tmp_path, "items", "") is None
    (tmp_path / "items.parquet").touch()
    with pytest.raises(DataError, match="more than one items file"):
        find_file(tmp_path, "items", None)
    assert find_file(tmp_path, "items", "items.parquet") == tmp_path / "items.parquet"


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv"])
def test_files_outside_the_root_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"must be inside data\.root"):
        find_file(tmp_path, "users", name)
