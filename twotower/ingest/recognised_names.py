"""The usual English and Spanish names of files, columns, features and events.

A name in params.yaml is used as it is. Only if it is null are the usual names tried, ignoring case,
accents, and whether words are joined by _, - or a space; two candidates are an error, because a
guess could be wrong.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from twotower.common.errors import DataError
from twotower.config.data import FORMATS
from twotower.ingest.open_file import part_files
from twotower.ingest.sources.source import Source

FILES = {
    "interactions": ("interactions", "interacciones"),
    "users": ("users", "usuarios"),
    "items": ("items", "products", "productos", "articulos"),
}
COLUMNS = {
    "user": ("user_id", "usuario_id", "id_usuario", "user", "usuario"),
    "item": ("item_id", "product_id", "producto_id", "articulo_id", "id_item", "id_producto",
             "id_articulo", "item", "product", "producto", "articulo"),
    "timestamp": ("timestamp", "datetime", "date", "time", "fecha", "fecha_hora", "hora"),
    "event": ("event", "event_type", "interaction_type", "evento", "tipo_evento",
              "tipo_interaccion"),
    "weight": ("weight", "rating", "score", "peso", "puntuacion", "valoracion"),
}  # fmt: skip
FEATURES = (
    ("category", "categoria"),
    ("price", "precio"),
    ("city", "ciudad"),
    ("country", "pais"),
    ("age", "edad"),
    ("brand", "marca"),
)
EVENTS = (
    ("view", "visto", "vista", "ver"),
    ("click", "clic"),
    ("cart", "add_to_cart", "carrito", "agregado_al_carrito"),
    ("purchase", "buy", "compra", "comprado"),
)


def normalise(name: str) -> str:
    """The name without case, accents and joining characters: " Puntuación" → "puntuacion"."""
    decomposed = unicodedata.normalize("NFKD", name.strip().casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return plain.replace("-", "_").replace(" ", "_")


def find_file(root: Path, role: str, configured: str | None) -> Path | None:
    """Path of the interactions, users or items file; None if there is none.

    Args:
        root: folder of the raw files.
        role: "interactions", "users" or "items".
        configured: its name in params.yaml; None: recognised; "": none.

    Raises:
        DataError: if a configured file is missing or outside `root`, or several are recognised.
    """
    if configured is not None:
        return named_file(root, configured, f"data.{role}.file") if configured else None
    extensions = [extension for row in FORMATS.values() for extension in row.extensions]
    names = {stem + extension for stem in FILES[role] for extension in extensions}
    matches = sorted(
        path for path in root.iterdir() if normalise(path.name).removesuffix(".gz") in names
    )
    if len(matches) > 1:
        candidates = ", ".join(path.name for path in matches)
        msg = f"{root}: more than one {role} file: {candidates}; set data.{role}.file"
        raise DataError(msg)
    return matches[0] if matches else None


def named_file(root: Path, name: str, parameter: str) -> Path:
    """Path of a file that params.yaml names, of a folder of part files, or a pattern.

    Raises:
        DataError: if it is missing, or lies outside `root`, where DVC would not see it change.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        msg = f"{parameter}: must be inside data.root ({root}), got {name!r}"
        raise DataError(msg)
    if not part_files(root / name):
        msg = f"{root / name}: no such file ({parameter}); {root} contains: {listing(root)}"
        raise DataError(msg)
    return root / name


def listing(root: Path) -> str:
    """The names of the files in a folder, for a message."""
    return _join([path.name for path in sorted(root.iterdir())])


def find_column(source: Source, role: str, configured: str | None, parameter: str) -> str | None:
    """Name of the column that has a role; None if there is none.

    Args:
        source: of the column.
        role: a key of COLUMNS.
        configured: its name in params.yaml; None: recognised; "": none.
        parameter: the key of params.yaml that names it, for messages.

    Raises:
        DataError: if a configured column is missing, or several are recognised.
    """
    if configured is not None:
        return named_column(source, configured, parameter) if configured else None
    return _only(source, COLUMNS[role], role, parameter)


def require_column(source: Source, role: str, configured: str | None, parameter: str) -> str:
    """As `find_column`, for a required column.

    Raises:
        DataError: also if none is recognised.
    """
    column = find_column(source, role, configured, parameter)
    if column is None:
        msg = f"{source.name}: cannot find the {role} column; set {parameter}; {columns_of(source)}"
        raise DataError(msg)
    return column


def named_column(source: Source, name: str, parameter: str) -> str:
    """The column that params.yaml names.

    Raises:
        DataError: if the source lacks it.
    """
    if name not in source.header:
        msg = f"{source.name}: no column {name!r} ({parameter}); {columns_of(source)}"
        raise DataError(msg)
    return name


def find_feature(
    source: Source, feature: str, parameter: str, *, optional: bool = False
) -> str | None:
    """Name of a declared feature's column: that of the feature, or a translation of it.

    Args:
        source: the table.
        feature: as declared.
        parameter: the key of params.yaml that declares it, for messages.
        optional: whether the result may be None.

    Raises:
        DataError: if no column has that name, or several have a translation of it.
    """
    if feature in source.header:
        return feature
    names = next(
        (group for group in FEATURES if normalise(feature) in group), (normalise(feature),)
    )
    column = _only(source, names, f"feature {feature!r}", parameter)
    if column is None and not optional:
        msg = f"{source.name}: no column for feature {feature!r} ({parameter}); "
        raise DataError(msg + columns_of(source))
    return column


def event_weights(events: Sequence[str], configured: Mapping[str, float]) -> list[float | None]:
    """Weight of each event type; None for an unknown one.

    Args:
        events: distinct spellings in the data.
        configured: `data.event_weights`; an exact match there takes precedence over translations.
    """
    return [_event_weight(event, configured) for event in events]


def _event_weight(event: str, configured: Mapping[str, float]) -> float | None:
    if event in configured:
        return configured[event]
    name = normalise(event)
    names = next((group for group in EVENTS if name in group), (name,))
    matches = [weight for key, weight in configured.items() if normalise(key) in names]
    return matches[0] if len(matches) == 1 else None


def _only(source: Source, names: Sequence[str], what: str, parameter: str) -> str | None:
    matches = [column for column in source.header if normalise(column) in names]
    if len(matches) > 1:
        candidates = _join(matches)
        msg = f"{source.name}: more than one {what} column: {candidates}; set {parameter}"
        raise DataError(msg)
    return matches[0] if matches else None


def columns_of(source: Source) -> str:
    """The column names, for a message."""
    text = f"available columns: {_join(source.header)}"
    if source.values_in_header:
        text += " (is there a header? If these are data, set data.header: false)"
    few = {1: "one", 2: "two"}.get(len(source.header)) if not source.typed else None
    return text + (f" (only {few}; check data.separator)" if few else "")


def _join(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(" ".join(name.split()) for name in names[:limit]) or "none"
    return shown + (", …" if len(names) > limit else "")
