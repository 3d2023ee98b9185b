"""Invented exports: a known table of events, written as a seed chooses.

Each part of a dialect says which keys of params.yaml settle it, and what the summary says where a
file without them can be read in another way.
"""

import datetime as dt
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

Id = int | str
Keys = dict[str, Any]
NUM_IDS = 9
COMPOSED = ["Cádiz", "señor", "Ærø", "crème", "Zoë", "año", "über", "façade", "naïve"]
AWKWARD = ['a "b" c', "x, y", "p;q", "r|s", "it's", 'say ""', "two  blanks", "#1", "a/b"]
EVENTS = {
    1.0: ("view", "View", "vista", " view"),
    2.0: ("click", "clic"),
    3.0: ("cart", "add_to_cart", "Add to cart", "carrito"),
    4.0: ("purchase", "compra", "PURCHASE"),
}
NAMES = {
    "user": ("user_id", "User ID", "usuario_id", "id_usuario", "user"),
    "item": ("item_id", "product-id", "producto_id", "articulo", "Item"),
    "timestamp": ("timestamp", "date", "fecha", "Fecha Hora"),
    "event": ("event", "event_type", "tipo_evento"),
    "weight": ("weight", "rating", "puntuación"),
}
UNKNOWN = {
    "user": "wer", "item": "was", "timestamp": "wann", "event": "wie", "weight": "wieviel",
}  # fmt: skip
ROLES = ("user", "item", "timestamp", "event", "weight")


@dataclass
class Column:
    """What is written, what it means, and what settles it.

    Attributes:
        written: cell of each row.
        true: what each means.
        keys: of params.yaml, that make it so.
        said: what the summary says if it was read in another way without these keys.
    """

    written: list[str]
    true: list[Any]
    keys: Keys = field(default_factory=dict)
    said: str = ""


@dataclass
class Export:
    """Files and what they mean.

    Attributes:
        files: bytes by path.
        keys: of the section `data`, by their path in it, as an honest user sets them.
        rows: (user, item, seconds, weight) of each event.
        said: what the summary says if a key is missing and the file is read in another way.
        always: what the summary says even with all keys.
        damage: what was done to a row, or "".
        place: of that row.
    """

    files: dict[str, bytes]
    keys: Keys
    rows: list[tuple[Id, Id, int, float]]
    said: dict[str, str]
    always: list[str]
    damage: str = ""
    place: str = ""
    damaged_row: int = -1


def _integers(rng: Random) -> list[int]:
    return rng.sample(range(1, 10_000), NUM_IDS)


def _pairs(ids: list[Id], *forms: Callable[[Any], str]) -> list[tuple[Id, list[str]]]:
    return [(one, [form(one) for form in forms or (str,)]) for one in ids]


ID_KINDS: dict[str, Callable[[Random], list[tuple[Id, list[str]]]]] = {
    "integers": lambda rng: _pairs(_integers(rng)),
    "blanks": lambda rng: _pairs(_integers(rng), " {}".format, "{}  ".format, str),
    "floats": lambda rng: _pairs(_integers(rng), "{}.0".format, "{}.00".format, str),
    "negative": lambda rng: _pairs([-n for n in _integers(rng)]),
    "padded": lambda rng: _pairs([f"{n:05}" for n in _integers(rng)]),
    "20 digits": lambda rng: _pairs([str(10**19 + n) for n in _integers(rng)]),
    "19 digits": lambda rng: _pairs([9 * 10**18 + n for n in _integers(rng)]),
    "uuid": lambda rng: _pairs([str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(NUM_IDS)]),
    "accents": lambda _: _pairs(COMPOSED, str, "{} ".format),
    "decomposed": lambda _: _pairs(COMPOSED, str, lambda one: unicodedata.normalize("NFD", one)),
    "awkward": lambda _: _pairs(AWKWARD),
    "cases": lambda _: _pairs(["a1", "A1", "b1", "B1", "c1", "C1", "d1", "D1", "e1"]),
    "guest": lambda rng: _pairs([*map(str, _integers(rng)[1:]), "guest"]),
    "nearly numbers": lambda _: _pairs(["1e5", "+5", "0x1F", "7", "1_0", "-0", "8.5", "٣", "1,5"]),
}


def ids(rng: Random, kind: str, num_rows: int) -> Column:
    """Ids of which each occurs."""
    pool = ID_KINDS[kind](rng)
    rows = [pool[n % len(pool)] for n in range(num_rows)]
    rng.shuffle(rows)
    written = [rng.choice(forms) for _, forms in rows]
    column = Column(written, [one for one, _ in rows])
    if kind == "decomposed":
        column.keys, column.said = {"unicode": "nfc"}, "look like another"
    return column


@dataclass(frozen=True)
class TimeKind:
    """A way to write a time.

    Attributes:
        write: seconds to text.
        read: text to seconds.
        keys: of data.interactions.
        said: see Column.
        first_days: whether no day is beyond the twelfth.
    """

    write: Callable[[int], str]
    read: Callable[[str], float]
    keys: Keys = field(default_factory=dict)
    said: str = ""
    first_days: bool = False


def _strftime(
    form: str, *, said: str = "", first_days: bool = False, declared: bool = False
) -> TimeKind:
    def write(second: int) -> str:
        return dt.datetime.fromtimestamp(second, dt.UTC).strftime(form)

    def read(text: str) -> float:
        return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC).timestamp()

    return TimeKind(write, read, {"time_format": form} if declared else {}, said, first_days)


def _number(
    per_second: float, *, origin: int = 0, places: int = 0, unit: str = "", said: str = ""
) -> TimeKind:
    def write(second: int) -> str:
        value = (second - origin) * per_second
        return f"{value:.{places}f}" if places else str(int(value))

    def read(text: str) -> float:
        return round(float(text) / per_second, 3) + origin

    return TimeKind(write, read, {"time_unit": unit} if unit else {}, said)


def _zoned(second: int) -> str:
    moment = dt.datetime.fromtimestamp(second, dt.timezone(dt.timedelta(hours=-5.5)))
    return moment.isoformat()


NEAR = "times are before 1980"
TIME_KINDS = {
    **{form: _strftime(form) for form in (
        "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S.250Z", "%Y-%m-%dT%H:%M:%S+0000",
        "%Y/%m/%d %H:%M", "%Y-%m-%d %I:%M %p", "%d/%m/%Y %H:%M", "%d.%m.%Y", "%d-%m-%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p", "%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S",
    )},
    **{form: _strftime(form, declared=True) for form in (
        "%d/%m/%y", "%b %d, %Y", "%Y%m%dT%H%M%SZ", "%d %B %Y %H:%M", "%Y-%j", "%m/%Y",
    )},
    **{form: _strftime(form, declared=True, said=NEAR) for form in ("%Y", "%Y%m")},
    **{f"early {form}": _strftime(form, declared=True, first_days=True)
       for form in ("%d/%m/%Y", "%m/%d/%Y %H:%M")},
    "zoned": TimeKind(_zoned, lambda text: dt.datetime.fromisoformat(text).timestamp()),
    "s": _number(1),
    "s.1": _number(1, places=1),
    "ms": _number(1e3),
    "us": _number(1e6),
    "ns": _number(1e9),
    "excel": _number(1 / 86_400, origin=-2_209_161_600, places=8, unit="excel", said=NEAR),
}  # fmt: skip


def times(rng: Random, kind: str, num_rows: int, mark: str) -> Column:
    """Moments of 2016 to 2025, of which one is after the twelfth day, or none."""
    row = TIME_KINDS[kind]
    days = 12 if row.first_days else 28
    moments = [
        int(dt.datetime(rng.randint(2016, 2025), rng.randint(1, 12), rng.randint(1, days),
                        rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59),
                        tzinfo=dt.UTC).timestamp())
        for _ in range(num_rows)
    ]  # fmt: skip
    moments[0] = int(dt.datetime(2024, 2, min(days, 28), tzinfo=dt.UTC).timestamp())
    written = [row.write(moment) for moment in moments]
    true = [row.read(text) for text in written]
    if kind in ("s.1", "excel"):
        written = [text.replace(".", mark) for text in written]
    if kind == "excel":
        true = [round(second) for second in true]
    keys = {f"interactions.{key}": value for key, value in row.keys.items()}
    return Column(written, [int(second // 1) for second in true], keys, row.said)


WEIGHT_KINDS: dict[str, tuple[Callable[[Random], float], Callable[[float], str], str]] = {
    "whole": (lambda rng: float(rng.randint(1, 5)), "{:.0f}".format, ""),
    "padded": (lambda rng: float(rng.randint(1, 5)), " {:.0f} ".format, ""),
    "point": (lambda rng: rng.randint(1, 99_999) / 100, "{:.2f}".format, ""),
    "power": (lambda rng: float(10 ** rng.randint(0, 4)), "{:.0e}".format, ""),
    "comma": (
        lambda rng: rng.randint(1, 99_999) / 100,
        lambda x: f"{x:.2f}".replace(".", ","),
        ",",
    ),
    "1,234.5": (lambda rng: rng.randint(1, 9_999_999) / 10, "{:,.1f}".format, "."),
    "1.234,5": (
        lambda rng: rng.randint(1, 9_999_999) / 10,
        lambda x: f"{x:,.1f}".translate(str.maketrans(",.", ".,")),
        ",",
    ),
    "1.234": (
        lambda rng: float(rng.randint(1, 9_999)),
        lambda x: f"{x:,.0f}".replace(",", "."),
        ",",
    ),
}
"""By name: chooses a number, writes it, and the decimal mark that settles it."""


def weights(rng: Random, kind: str, num_rows: int) -> Column:
    """Numbers, of which the first has a group of thousands if any has."""
    choose, write, mark = WEIGHT_KINDS[kind]
    true = [choose(rng) for _ in range(num_rows)]
    if "234" in kind:
        true[0] = 1234.0
    said = "thousands" if kind == "1.234" else ""
    return Column([write(x) for x in true], true, {"decimal": mark} if mark else {}, said)


def events(rng: Random, num_rows: int) -> Column:
    """Types of events, in both languages."""
    true = [rng.choice(list(EVENTS)) for _ in range(num_rows)]
    return Column([rng.choice(EVENTS[weight]) for weight in true], true)


def choose_names(rng: Random, export: Export, roles: Sequence[str]) -> dict[str, str]:
    """A name for the column of each role, recognised or given."""
    names = {role: rng.choice(NAMES[role]) for role in roles}
    for role in roles:
        if rng.random() < 0.15:
            names[role] = UNKNOWN[role]
            export.keys[f"interactions.columns.{role}"] = UNKNOWN[role]
            export.said[f"interactions.columns.{role}"] = UNKNOWN[role]
    return names


def integers_only(column: Column) -> bool:
    return all(isinstance(one, int) for one in column.true)
