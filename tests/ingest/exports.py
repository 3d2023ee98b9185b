"""Invented exports: a table of events, written as a seed chooses."""

from random import Random

from tests.ingest.export_columns import (
    ID_KINDS,
    NAMES,
    ROLES,
    TIME_KINDS,
    UNKNOWN,
    WEIGHT_KINDS,
    Column,
    Export,
    choose_names,
    events,
    ids,
    times,
    weights,
)
from tests.ingest.export_text import Dialect, Table, damage, store
from tests.ingest.export_typed import write_json_lines, write_parquet

EXTRAS = ("", "plain", "a, b; c|d", 'say "no"', "two\nlines", " ~ ", "12,5", "2025-01-01")


def make(seed: int) -> Export:
    """The export of a seed."""
    rng = Random(seed)  # noqa: S311 - no secret
    num_rows = rng.randint(20, 36)
    made = _columns(rng, num_rows)
    form = rng.choices(("text", "jsonl", "parquet"), (7, 2, 2))[0]
    rows = [
        (user, item, second, event * weight)
        for user, item, second, event, weight in zip(
            *(made[role].true if role in made else [_absent(role)] * num_rows for role in ROLES),
            strict=True,
        )
    ]
    keys = {key: value for column in made.values() for key, value in column.keys.items()}
    said = {key: c.said for c in made.values() for key in c.keys if c.said}
    always = [] if "timestamp" in made else ["no timestamps"]
    export = Export({}, keys, rows, said, always)
    if form == "parquet":
        write_parquet(rng, export, made)
    elif form == "jsonl":
        write_json_lines(rng, export, made)
    else:
        _text(rng, export, made)
    return export


def _absent(role: str) -> float:
    return 0 if role == "timestamp" else 1


def _columns(rng: Random, num_rows: int) -> dict[str, Column]:
    made = {side: ids(rng, rng.choice(list(ID_KINDS)), num_rows) for side in ("user", "item")}
    if rng.random() < 0.6:
        made["weight"] = weights(rng, rng.choice(list(WEIGHT_KINDS)), num_rows)
    if rng.random() < 0.4:
        made["event"] = events(rng, num_rows)
    if rng.random() < 0.9:
        decimal = made["weight"].keys.get("decimal") if "weight" in made else None
        mark = decimal or rng.choice(".,")
        kind = rng.choice(list(TIME_KINDS))
        made["timestamp"] = times(rng, kind, num_rows, mark)
        if mark == "," and kind in ("s.1", "excel"):
            made["timestamp"].keys["decimal"] = ","
            if "weight" in made and decimal is None:
                made["weight"] = weights(rng, "whole", num_rows)
    return made


def _table(rng: Random, export: Export, made: dict[str, Column]) -> Table:
    """Columns in any order, some of them without a role."""
    names = choose_names(rng, export, list(made))
    columns = [(names[role], column.written) for role, column in made.items()]
    columns += [
        (name, [rng.choice(EXTRAS) for _ in export.rows])
        for name in rng.sample(("note", "Unnamed: 0", "2019", ""), rng.randint(0, 2))
    ]
    rng.shuffle(columns)
    header = [name for name, _ in columns]
    return Table(header, [list(row) for row in zip(*(cells for _, cells in columns), strict=True)])


def _text(rng: Random, export: Export, made: dict[str, Column]) -> None:
    table = _table(rng, export, made)
    dialect, extension = _dialect(rng, export, table)
    if rng.random() < 0.3:
        damage(rng, export, made, table, dialect)
    elif extension in (".csv", ".tsv") and rng.random() < 0.3:
        _items(rng, export, made, dialect, extension)
    store(rng, export, table, dialect, extension)


def _items(
    rng: Random, export: Export, made: dict[str, Column], dialect: Dialect, extension: str
) -> None:
    """A table of the items, whose ids are written in forms of their own."""
    forms = dict(zip(made["item"].true, made["item"].written, strict=True))
    price = [f"{rng.randint(1, 99)}" for _ in forms]
    cells = [[form, cost, "any"] for form, cost in zip(forms.values(), price, strict=True)]
    table = Table([rng.choice(("id", "item_id", "Producto ID")), "price", "title"], cells)
    if dialect.header:
        export.keys["items.features"] = {"price": "numeric"}
    else:
        export.keys["items.id"] = 1
    export.files["items" + extension] = dialect.encode(dialect.text(table)[0])


def _dialect(rng: Random, export: Export, table: Table) -> tuple[Dialect, str]:
    separator, extension = rng.choice(
        [(",", ".csv"), (",", ".csv"), (";", ".csv"), ("\t", ".tsv"), ("\t", ".csv"), ("|", ".csv"),
         (";", ".txt"), ("::", ".dat"), ("~|~", ".csv"), (" ", ".csv"), (",", ".data")]
    )  # fmt: skip
    dialect = Dialect(
        separator,
        line_end=rng.choice(["\n", "\n", "\r\n", "\r"]),
        quoting=rng.choice(["minimal", "all", "some"]),
        header=rng.random() < 0.8,
        blank_lines=rng.random() < 0.2,
        final_line_end=rng.random() < 0.8,
        sep_line=separator in ",;|" and rng.random() < 0.1,
        compress=rng.random() < 0.2,
    )
    usual = {".csv": separator if dialect.sep_line else ",", ".tsv": "\t"}.get(extension)
    if separator != usual or rng.random() < 0.1:
        export.keys["separator"] = separator
    encodings = ["utf-8"] * 3 + ["utf-8-sig", "latin-1", "cp1252", "utf-16-le", "utf-16-le+",
                                 "utf-16-be+"]  # fmt: skip
    encoding = rng.choice(encodings)
    whole = "".join(table.header) + "".join(cell for row in table.cells for cell in row)
    try:
        whole.encode(encoding.rstrip("+"))
    except UnicodeEncodeError:
        encoding = "utf-8"
    dialect.encoding = encoding
    if encoding in ("latin-1", "cp1252", "utf-16-le"):
        export.keys["encoding"] = encoding
    if not dialect.header:
        export.keys["header"] = False
        _by_position(export, table)
    return dialect, extension


def _by_position(export: Export, table: Table) -> None:
    for role in ROLES:
        export.keys.pop(f"interactions.columns.{role}", None)
    for position, name in enumerate(table.header, start=1):
        for role in ROLES:
            if name in (*NAMES[role], UNKNOWN[role]):
                export.keys[f"interactions.columns.{role}"] = position
                export.said[f"interactions.columns.{role}"] = str(position)
