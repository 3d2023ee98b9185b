"""Exports as shops and data sets have them, in small: 30 users, 12 items, 240 events."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NUM_USERS, NUM_ITEMS, PER_USER = 30, 12, 8
START = datetime(2025, 1, 3, 8, 5, tzinfo=UTC)
CITIES = ("Málaga", "Cádiz", "Gijón")
KINDS = ("Café", "Té", "Azúcar", "Útiles")


def events() -> Iterator[tuple[int, int, datetime, int]]:
    """(user, item, time, number of the event): any user's items differ from each other."""
    for number in range(NUM_USERS * PER_USER):
        user, turn = number % NUM_USERS, number // NUM_USERS
        time = START + timedelta(hours=number * 31, minutes=number * 7)
        yield user, (user * 5 + turn * (1 + user % 2)) % NUM_ITEMS, time, number


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def comma(number: float) -> str:
    return f"{number:.2f}".replace(".", ",")


def spanish(root: Path) -> None:
    """A till's export: semicolons, Latin-1, day first, decimal commas, no time zone."""
    sales = [
        f"C{user:03};R-{item:02};{time:%d/%m/%Y %H:%M};{comma(10 + number % 7 * 17.12)}"
        for user, item, time, number in events()
    ]
    write(root / "ventas.csv", lines("cliente;referencia;fecha;importe", *sales), "latin-1")
    people = [
        f"C{user:03};José Núñez {user};{CITIES[user % 3]};jose{user}@correo.es;6{user:02} 55 44 33"
        for user in range(NUM_USERS)
    ]
    header = "cliente;nombre;población;email;teléfono"
    write(root / "clientes.csv", lines(header, *people), "latin-1")
    goods = [
        f"R-{item:02};Artículo nº {item};{KINDS[item % 4]};{comma(1 + item * 1.37)}"
        for item in range(NUM_ITEMS)
    ]
    header = "referencia;descripción;familia;pvp"
    write(root / "productos.csv", lines(header, *goods), "latin-1")


def german(root: Path) -> None:
    """Dates with points, a quantity, and a table of goods."""
    rows = [
        f"{1000 + user};{item + 1:05};{time:%d.%m.%Y};{1 + number % 3}"
        for user, item, time, number in events()
    ]
    write(root / "Verkäufe.csv", lines("Kunde;Artikel;Datum;Menge", *rows), "cp1252")
    goods = [f"{item + 1:05};Größe {item};{'Möbel' if item % 2 else 'Küche'}"
             for item in range(NUM_ITEMS)]  # fmt: skip
    write(root / "Artikel.csv", lines("Artikel;Bezeichnung;Kategorie", *goods), "cp1252")


def portuguese(root: Path) -> None:
    """Event types, UTF-8, commas."""
    kinds = ("visualização", "clique", "carrinho", "compra")
    rows = [f"{user},{item},{time:%Y-%m-%d %H:%M:%S},{kinds[number // 30 % 4]}"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "interacoes.csv", lines("id_cliente,id_produto,data,tipo_interacao", *rows))


def french(root: Path) -> None:
    """Tabs, and two years in two files."""
    rows = [f"{user}\tP{item}\t{time:%d/%m/%Y %H:%M:%S}" for user, item, time, _ in events()]
    header = "client\tproduit\tdate"
    write(root / "achats_2024.csv", lines(header, *rows[:100]))
    write(root / "achats_2025.csv", lines(header, *rows[100:]))


def movielens(root: Path) -> None:
    """MovieLens' recent releases, with their other files."""
    rows = [f"{user + 1},{item + 1},{number % 10 / 2 + 0.5},{int(time.timestamp())}"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "ratings.csv", lines("userId,movieId,rating,timestamp", *rows))
    tags = [f"{user + 1},{item + 1},fun {number % 9},{int(time.timestamp())}"
            for user, item, time, number in list(events())[:60]]  # fmt: skip
    write(root / "tags.csv", lines("userId,movieId,tag,timestamp", *tags))
    write(root / "movies.csv", lines("movieId,title,genres", *map(_movie, range(NUM_ITEMS))))
    links = [f"{item + 1},01147{item:02},{862 + item}" for item in range(NUM_ITEMS)]
    write(root / "links.csv", lines("movieId,imdbId,tmdbId", *links))
    write(root / "README.txt", "A data set.\nIt has some files.\n")


def _movie(item: int, separator: str = ",") -> str:
    genres = ("Drama", "Comedy", "Drama|Comedy", "Comedy|War", "War", "War|Drama")
    return separator.join((f"{item + 1}", f'"Été, {item} (1995)"' if separator == "," else
                           f"Été, {item} (1995)", genres[item % 6]))  # fmt: skip


def movielens_1m(root: Path) -> None:
    """No headers, two colons, Latin-1."""
    rows = [f"{user + 1}::{item + 1}::{1 + number % 5}::{int(time.timestamp())}"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "ratings.dat", lines(*rows))
    movies = [_movie(item, "::") for item in range(NUM_ITEMS)]
    write(root / "movies.dat", lines(*movies), "latin-1")
    users = [f"{user + 1}::{'FM'[user % 2]}::{18 + user % 4 * 7}::{user % 5}::480{user:02}"
             for user in range(NUM_USERS)]  # fmt: skip
    write(root / "users.dat", lines(*users))


def movielens_100k(root: Path) -> None:
    """Tabs and no header; the other files have bars."""
    rows = [f"{user + 1}\t{item + 1}\t{1 + number % 5}\t{int(time.timestamp())}"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "u.data", lines(*rows))
    movies = [f"{item + 1}|Été ({1990 + item})|{item % 2}|{item % 3 // 2}"
              for item in range(NUM_ITEMS)]  # fmt: skip
    write(root / "u.item", lines(*movies), "latin-1")


def shopify(root: Path) -> None:
    """An orders export: one row per line of an order, people by e-mail address."""
    header = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem sku"
    rows = [f"#{1001 + number},u{user}@example.com,paid,{time:%Y-%m-%d %H:%M:%S} +0100,"
            f"{1 + number % 2},Pen {item},SKU-{item}"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "orders_export_1.csv", lines(header, *rows))


def woocommerce(root: Path) -> None:
    """An export plug-in's file."""
    header = "Order ID,Order Date,Customer User ID,SKU,Item Name,Quantity,Item Cost"
    rows = [f"{number},{time:%m/%d/%Y %I:%M %p},{user + 7},W{item:03},Cup {item},1,{item}.50"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "woocommerce-orders.csv", lines(header, *rows))


def analytics(root: Path) -> None:
    """GA4, one item per row: microseconds, a day beside them, user_id mostly blank."""
    names = ("view_item", "select_item", "add_to_cart", "purchase", "remove_from_cart")
    header = "event_date,event_timestamp,event_name,user_id,user_pseudo_id,item_id,item_name"
    rows = [f"{time:%Y%m%d},{int(time.timestamp() * 1e6)},{names[number // 30 % 5]},"
            f"{user if number < 9 else ''},{user}.{1700 + user},G{item},Bag {item}"
            for user, item, time, number in events()]  # fmt: skip
    write(root / "events.csv", lines(header, *rows))


def parts(root: Path) -> None:
    """Spark's folder of Parquet, milliseconds, and goods as JSON lines with lists."""
    rows = list(events())
    (root / "events").mkdir()
    (root / "events" / "_SUCCESS").touch()
    for part in range(2):
        mine = rows[part::2]
        table = pa.table(
            {
                "visitorid": [user for user, *_ in mine],
                "itemid": [item for _, item, *_ in mine],
                "ts": [int(time.timestamp() * 1000) for _, _, time, _ in mine],
                "event": [("view", "addtocart", "transaction")[row[3] // 30 % 3] for row in mine],
            }
        )
        pq.write_table(table, root / "events" / f"part-0000{part}-c000.snappy.parquet")
    goods = [{"id": item, "name": f"Mug {item}", "tags": ["red", "big"][: item % 3],
              "available": item % 2 == 0} for item in range(NUM_ITEMS)]  # fmt: skip
    write(root / "products.jsonl", lines(*map(json.dumps, goods)))


EXPORTS: dict[str, Callable[[Path], None]] = {
    export.__name__: export
    for export in (spanish, german, portuguese, french, movielens, movielens_1m, movielens_100k,
                   shopify, woocommerce, analytics, parts)
}  # fmt: skip


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.write_bytes(text.encode(encoding))
