from pathlib import Path

import pytest

from tests.inspection.exports import EXPORTS, NUM_ITEMS, NUM_USERS, events, lines, write
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.inspection.proposal import Proposal, propose
from twotower.inspection.report import report

SALES = lines("cliente,sku,fecha", *(f"{u},{i},{t:%Y-%m-%d}" for u, i, t, _ in events()))
PEOPLE = [f"{user},{'AB'[user % 2]}" for user in range(NUM_USERS)]
GOODS = [f"{item};{'xyz'[item % 3]}" for item in range(NUM_ITEMS)]


def proposed(root: Path, on_invalid: str = "error") -> Proposal:
    return propose(root, root.as_posix(), DataConfig.model_validate({"on_invalid": on_invalid}))


def settings(proposal: Proposal) -> dict[str, object]:
    return {".".join(setting.key): setting.value for setting in proposal.settings}


def comments(proposal: Proposal) -> dict[str, str | None]:
    return {".".join(setting.key): setting.comment for setting in proposal.settings}


def doubts(proposal: Proposal) -> dict[str, str]:
    return {".".join(doubt.key): doubt.text for doubt in proposal.doubts}


def test_titles_and_features(tmp_path: Path) -> None:
    EXPORTS["movielens"](tmp_path)
    proposal = proposed(tmp_path)
    assert proposal.titles == {"items": ["title"]}
    assert settings(proposal)["items.title"] == "title"
    assert settings(proposal)["items.title"] == "title"
    assert settings(proposal)["items.features.genres"] == "multi_valued"
    assert dict(proposal.unused) == {
        "links.csv": "",
        "tags.csv": "",
        "README.txt": "only one column",
    }


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (PEOPLE[:-2], "it lacks 2 of the ids of the interactions, such as 28, 29; to use it, set "
         "data.on_invalid: drop and run twotower inspect "),
        ([*PEOPLE, PEOPLE[3]], "it repeats 1 of the ids of the interactions, such as 3; to use"),
    ],
)  # fmt: skip
def test_tables_that_would_be_refused(tmp_path: Path, rows: list[str], words: str) -> None:
    write(tmp_path / "ventas.csv", SALES)
    write(tmp_path / "clientes.csv", lines("cliente,grupo", *rows))
    refused = proposed(tmp_path)
    assert f"clientes.csv was left out: {words}" in doubts(refused)["users.file"]
    assert doubts(refused)["users.file"].endswith(f" twotower inspect {tmp_path.as_posix()} again")
    assert settings(refused)["users.file"] is False
    assert settings(proposed(tmp_path, "drop"))["users.file"] == "clientes.csv"


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        (lines("sku;tipo", *GOODS), "utf-8", "its separator is ';', that of ventas.csv ','"),
        (lines(*GOODS).replace(";", ","), "utf-8", "ventas.csv has a header, productos.csv has no"),
    ],
)
def test_tables_of_another_dialect(tmp_path: Path, text: str, encoding: str, words: str) -> None:
    write(tmp_path / "ventas.csv", SALES)
    write(tmp_path / "productos.csv", text, encoding)
    assert words in doubts(proposed(tmp_path))["items.file"]


def test_tables_of_another_encoding(tmp_path: Path) -> None:
    write(
        tmp_path / "ventas.csv", SALES.replace("cliente", "codigo cliente").replace("fecha", "día")
    )
    goods = lines("sku,tipo", *GOODS).replace(";", ",").replace("x", "é")
    write(tmp_path / "productos.csv", goods, "latin-1")
    proposal = proposed(tmp_path)
    assert "it is cp1252, but ventas.csv is utf-8" in doubts(proposal)["items.file"]
    assert settings(proposal)["encoding"] == "utf-8"


def test_commas_and_tabs_may_be_mixed(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES)
    write(tmp_path / "productos.txt", lines("sku\ttipo", *GOODS).replace(";", "\t"))
    found = settings(proposed(tmp_path))
    assert (found["separator"], found["interactions.format"], found["items.format"]) == (
        None,
        None,
        "tsv",
    )


def test_ids_of_two_types(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES + "guest,3,2025-02-01\n")
    proposal = proposed(tmp_path)
    assert settings(proposal)["users.id_type"] == "text"
    assert settings(proposal)["items.id_type"] == "auto"
    assert "'guest' is among integers" in doubts(proposal)["users.id_type"]
    assert comments(proposal)["users.id_type"] == f"unsure: {doubts(proposal)['users.id_type']}"


def test_ids_whose_accents_are_written_in_two_ways(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES + "Jose\u0301,3,2025-02-01\nJos\u00e9,4,2025-02-01\n")
    assert settings(proposed(tmp_path))["unicode"] == "nfc"


def test_rows_without_a_user(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES + ",3,2025-02-01\n" * 10)
    assert doubts(proposed(tmp_path))["interactions.columns.user"].startswith("4.00% of the rows")


def test_events_keep_their_weights(tmp_path: Path) -> None:
    EXPORTS["analytics"](tmp_path)
    config = DataConfig.model_validate({"event_weights": {"view": 2, "view_item": 0.5, "buy": 7}})
    proposal = propose(tmp_path, "raw", config)
    found = {key: value for key, value in settings(proposal).items() if key.startswith("event_")}
    assert found == {
        "event_weights": {},
        "event_weights.view_item": 0.5,  # as it was
        "event_weights.select_item": 2,  # a click, by default
        "event_weights.add_to_cart": 3,
        "event_weights.purchase": 7,  # as `buy` was
        "event_weights.remove_from_cart": 0.01,
    }
    assert comments(proposal)["event_weights.view_item"] == "60 times"
    assert "takes interest back" in doubts(proposal)["event_weights.remove_from_cart"]


def test_users_and_items_in_two_files(tmp_path: Path) -> None:
    rows = list(events())
    orders = (f"{number},{user}" for user, _, _, number in rows)
    write(tmp_path / "orders.csv", lines("order_id,customer_id", *orders))
    goods = (f"{number},{item}" for _, item, _, number in rows)
    write(tmp_path / "order_items.csv", lines("order_id,product_id", *goods))
    words = "users are in orders.csv and items in order_items.csv: join them by order_id"
    with pytest.raises(DataError, match=words):
        proposed(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one row per event; found no files"):
        proposed(tmp_path)


def test_no_personal_data_is_shown(tmp_path: Path) -> None:
    sales = [f"u{u}@example.com,Ana Ruiz {u},{i}" for u, i, _, _ in events()]
    write(tmp_path / "orders.csv", lines("Email,Billing Name,SKU", *sales))
    people = [f"u{user}@example.com,Ana Ruiz {user},{user % 2}" for user in range(NUM_USERS - 1)]
    write(tmp_path / "customers.csv", lines("Email,Name,Kind", *people))
    proposal = proposed(tmp_path)
    shown = report(proposal) + "".join(map(str, comments(proposal).values()))
    assert "it lacks 1 of the ids" in shown
    assert "@" not in shown
    assert "Ana" not in shown


def test_the_report(tmp_path: Path) -> None:
    EXPORTS["spanish"](tmp_path)
    write(tmp_path / "notas.txt", "Nada\n")
    text = report(proposed(tmp_path))
    assert "ventas.csv: interactions, 240 rows, csv, ascii, separator ';'\n" in text
    assert "\n  descripción  title; 12 different values, such as Artículo nº 0\n" in text
    assert "\n  pvp          feature, numeric; " in text
    assert "\n  email      personal data\n" in text
    assert "\nnotas.txt: not used: only one column\n" in text
    assert text.splitlines()[-1].startswith("  data.interactions.columns.weight: importe may be")


@pytest.mark.parametrize(
    ("weights", "prices", "decimal", "unsure"),
    [
        (["1,200", "2"], ["3", "4"], None, "rating has numbers such as 1,200: set ','"),
        (["3", "4"], ["1,200", "2"], None, "precio has numbers such as 1,200: set ','"),
        (["1,200", "2"], ["0,5", "1"], ",", ""),
        (["1,200", "2.5"], ["3", "4"], ".", ""),
        (["3.5", "4"], ["1,5", "2"], None, ""),  # the price is left out
    ],
)
def test_decimal_marks(
    tmp_path: Path, weights: list[str], prices: list[str], decimal: str | None, unsure: str
) -> None:
    rows = [f"{u};{i};{weights[n % 2]}" for u, i, _, n in events()]
    write(tmp_path / "ventas.csv", lines("cliente;sku;rating", *rows))
    goods = [f"{n};{prices[n % 2]}" for n in range(NUM_ITEMS)]
    write(tmp_path / "articulos.csv", lines("sku;precio", *goods))
    proposal = proposed(tmp_path)
    assert settings(proposal)["decimal"] == decimal
    assert doubts(proposal).get("decimal", "").startswith(unsure)
    assert ("decimal" in doubts(proposal)) == bool(unsure)


def test_a_table_with_rows_of_another_length_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES)
    write(tmp_path / "clientes.csv", lines("cliente,grupo", *PEOPLE[:-1], f"{PEOPLE[-1]},x"))
    left_out = doubts(proposed(tmp_path))["users.file"]
    assert left_out.startswith("clientes.csv was left out: it has rows (1) with more or fewer")


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES)
    write(tmp_path / "clientes.csv", lines("cliente,grupo", *(f"{row}," for row in PEOPLE)))
    left_out = doubts(proposed(tmp_path))["users.file"]
    assert left_out.startswith("clientes.csv was left out: every row must have 2 fields")


def test_a_column_that_cannot_be_read_explains_why_nothing_was_found(tmp_path: Path) -> None:
    rows = [f'{u},"{i}"x' for u, i, _, _ in events()]
    write(tmp_path / "ventas.csv", lines("cliente,sku", *rows))
    with pytest.raises(DataError, match=r"ventas.csv \(not read: line 2: column 'sku': stray quot"):
        proposed(tmp_path)


def test_a_column_of_numbers_with_another_cell_is_told_with_its_remedy(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES)
    prices = [f"{item},{item * 1.5},{'xyz'[item % 3]}" for item in range(NUM_ITEMS)]
    goods = lines("sku,precio,tipo", *prices, "77,consultar,x")
    write(tmp_path / "productos.csv", goods)
    found = proposed(tmp_path)
    why = "precio was left out: numbers, but also 'consultar'; to use it, set precio: numeric here"
    assert doubts(found)["items.features"].startswith(why)
    assert comments(found)["items.features"] == f"unsure: {doubts(found)['items.features']}"
    write(tmp_path / "productos.csv", goods.replace("consultar", "9"))
    assert "items.features" not in doubts(proposed(tmp_path))


def test_ragged_rows_are_counted_apart(tmp_path: Path) -> None:
    write(tmp_path / "ventas.csv", SALES + "1,2\n3\n")
    text = report(proposed(tmp_path))
    assert "ventas.csv: interactions, 240 rows, and 2 ragged ones, csv" in text
    write(tmp_path / "ventas.csv", SALES + "1,2\n")
    assert "240 rows, and 1 ragged one, csv" in report(proposed(tmp_path))
