import pytest

from twotower.common.errors import DataError
from twotower.ingest.recognised_names import (
    event_weights,
    find_column,
    find_feature,
    find_file,
    is_named,
    normalise,
    require_id,
)
from twotower.ingest.usual_names import EVENTS, FEATURES, WIDER_FILES

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
    [
        (" Puntuación", "puntuacion"), ("Event-Type", "event_type"), ("USER ID", "user_id"),
        ("userId", "user_id"), ("movieID", "movie_id"), ("User-ID", "user_id"),
        ("User_ID", "user_id"), ("IDUsuario", "id_usuario"), ("SKU", "sku"),
        ("user_id:token", "user_id"), ("a - b", "a_b"),
    ],
)  # fmt: skip
def test_normalise(name, expected):
    assert normalise(name) == expected


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("user", "usuario_id"), ("user", "User_ID"), ("item", "producto_id"),
        ("item", "product_id"), ("item", "item_id"), ("timestamp", "fecha"),
        ("timestamp", "timestamp"), ("event", "tipo_interaccion"), ("event", "event"),
        ("event", "event_type"), ("weight", "puntuacion"), ("weight", "rating"),
        ("weight", "weight"), ("user", "userId"), ("user", "userid"), ("user", "customer_id"),
        ("user", "Customer ID"), ("user", "reviewerID"), ("user", "cliente"), ("user", "Kunde"),
        ("user", "Kundennummer"), ("user", "codigo_cliente"), ("user", "id_client"),
        ("user", "comprador"), ("user", "Benutzer-ID"), ("item", "movieId"), ("item", "MovieID"),
        ("item", "asin"), ("item", "SKU"), ("item", "Lineitem sku"), ("item", "referencia"),
        ("item", "Artikelnummer"), ("item", "id_produto"), ("item", "produit"),
        ("item", "ref_produit"), ("item", "track_id"), ("timestamp", "Created at"),
        ("timestamp", "event_time"), ("timestamp", "unixReviewTime"), ("timestamp", "Datum"),
        ("timestamp", "fecha_compra"), ("timestamp", "data_venda"), ("timestamp", "date_achat"),
        ("event", "event_name"), ("event", "behavior_type"), ("event", "Ereignis"),
        ("event", "tipo_interacao"), ("weight", "overall"), ("weight", "Bewertung"),
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


@pytest.mark.parametrize(
    ("role", "header", "column"),
    [
        ("item", ("item_name", "item", "item_id"), "item_id"),  # a name is not an id …
        ("item", ("item", "movieId"), "movieId"),
        ("item", ("producto", "sku"), "sku"),
        ("item", ("product_id", "sku", "asin"), "product_id"),  # … and today's names come first
        ("user", ("user_id", "customer_id", "kunde"), "user_id"),
        ("user", ("cliente", "codigo_cliente"), "codigo_cliente"),
        ("timestamp", ("event_timestamp", "event_date"), "event_timestamp"),
        ("timestamp", ("event_date", "x"), "event_date"),
        ("timestamp", ("date", "created_at"), "date"),
        ("weight", ("quantity", "amount", "importe", "Menge"), None),  # nobody said so
        ("user", ("session_id", "order_id", "email"), None),
    ],
)
def test_the_surer_name_decides(role, header, column):
    assert find_column(Header(*header), role, None, "p") == column


@pytest.mark.parametrize("header", [("movieId", "track_id"), ("sku", "asin")])
def test_two_names_as_sure_are_an_error(header):
    with pytest.raises(DataError, match=f"more than one item column: {', '.join(header)}; set p"):
        find_column(Header(*header), "item", None, "p")


@pytest.mark.parametrize(
    ("header", "column"),
    [
        (("id", "movieId"), "id"),
        (("id", "product"), "product"),
        (("title", "movieId"), "movieId"),
        (("sku", "name"), "sku"),
        (("id", "item_id"), "item_id"),
    ],
)
def test_ids_of_a_table(header, column):
    assert require_id(Header(*header), "items", None) == column


def test_a_table_without_ids():
    with pytest.raises(DataError, match=r"cannot find the id column .* set data\.items\.id"):
        require_id(Header("title", "price"), "items", None)
    assert require_id(Header("title", "price"), "items", "title") == "title"


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
        ("buy", 4), ("share", None), ("", None), ("addtocart", 3), ("addToCart", 3),
        ("transaction", 4), ("vista", 1), ("visualização", 1), ("vue", 1), ("Ansicht", 1),
        ("gesehen", 1), ("Klick", 2), ("panier", 3), ("Warenkorb", 3), ("carrinho", 3),
        ("achat", 4), ("Kauf", 4), ("remove_from_cart", None),
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


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("interactions", "ratings.csv"), ("interactions", "ventas.csv.gz"),
        ("interactions", "Verkäufe.tsv"), ("interactions", "orderItems.parquet"),
        ("users", "clientes.csv"), ("users", "Kunden.csv"), ("items", "movies.csv"),
        ("items", "produtos.parquet"), ("items", "Bücher.csv"),
    ],
)  # fmt: skip
def test_wider_names_of_files(tmp_path, role, name):
    (tmp_path / name).touch()
    (tmp_path / "ratings.txt").touch()  # the extension says nothing of the format
    assert find_file(tmp_path, role, None) == tmp_path / name


def test_the_plain_name_of_a_file_comes_first(tmp_path):
    for name in ("interacciones.csv", "ventas.csv", "ratings.csv"):
        (tmp_path / name).touch()
    assert find_file(tmp_path, "interactions", None) == tmp_path / "interacciones.csv"


def test_no_name_has_two_meanings():
    """Of events, files and features; a column's meanings are those of its role."""
    for groups in (EVENTS, FEATURES, tuple(WIDER_FILES.values())):
        names = [name for group in groups for name in group]
        assert len(names) == len(set(names))
    assert all(name == normalise(name) for group in EVENTS for name in group)


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv"])
def test_files_outside_the_root_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"must be inside data\.root"):
        find_file(tmp_path, "users", name)


def test_a_name_of_megabytes_is_none() -> None:
    assert is_named("user" + "_" * 100 + "id", ("user_id",))
    assert not is_named("user" + "_" * 1_000_000 + "id", ("user_id",))
