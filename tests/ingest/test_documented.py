"""Everything that docs/data.md says is read is read so, and what it says is refused is refused."""

import codecs
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.conftest import REPOSITORY
from tests.ingest.documented import (
    ITEMS,
    LOG,
    MISFITS,
    MOMENT,
    PAIRS,
    SEPARATORS,
    Misfit,
    time_examples,
)
from twotower.common.errors import DataError
from twotower.config.data import DataConfig, InteractionsConfig
from twotower.config.raw_files import FORMATS, TIME_UNITS
from twotower.ingest.open_file import open_source
from twotower.ingest.recognised_names import (
    event_weights,
    find_column,
    find_feature,
    find_file,
    require_column,
    require_id,
)
from twotower.ingest.sources.raw_text import MAGIC, MARKS, RawText
from twotower.ingest.sources.source import Source
from twotower.ingest.times import Times
from twotower.ingest.usual_names import (
    CODES,
    COLUMNS,
    EVENTS,
    FEATURES,
    FILES,
    NOUNS,
    WIDER_COLUMNS,
    WIDER_FILES,
)


def pairs(source: Source) -> list[tuple[str, ...]]:
    """User and item of each row, as text."""
    names = [require_column(source, role, None, role) for role in ("user", "item")]
    columns = [source.read([name])[name].cast(pa.string()).to_pylist() for name in names]
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path: Path, name: str) -> None:
    for extension in FORMATS[name].extensions or (".txt",):
        path = tmp_path / f"interactions{extension}"
        if PAIRS[name]:
            path.write_text("\n".join(PAIRS[name]))
        else:
            pd.DataFrame({"user_id": [7, 7], "item_id": [10, 11]}).to_parquet(path)
        format_name = None if FORMATS[name].extensions else name
        assert pairs(open_source(path, DataConfig(), format_name)) == [("7", "10"), ("7", "11")]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_separators(tmp_path: Path, separator: str) -> None:
    said = re.fullmatch(r'nothing, in `(.*)`|`separator: "\\?(.*)"`', SEPARATORS[separator])
    assert said is not None
    extension, declared = said.groups()
    path = tmp_path / f"interactions{extension or '.dat'}"
    path.write_text(f"user_id{separator}item_id\n7{separator}10\n")
    assert pairs(open_source(path, DataConfig(separator=declared), None)) == [("7", "10")]


ENCODERS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@pytest.mark.parametrize("mark", MARKS)
def test_byte_order_marks(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "interactions.csv"
    path.write_bytes(mark + "user_id,item_id\nJosé,10\n".encode(ENCODERS[mark]))
    assert pairs(open_source(path, DataConfig(encoding="ascii"), None)) == [("José", "10")]


@pytest.mark.parametrize("magic", [magic for magic, what in MAGIC.items() if what != "gzip"])
def test_files_that_are_not_text(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "interactions.csv"
    path.write_bytes(magic + b"\0\1\2")
    with pytest.raises(DataError, match=rf"interactions\.csv: is not text but {MAGIC[magic]}"):
        RawText(path, "utf-8")


@pytest.mark.parametrize("role", FILES)
def test_names_of_files(tmp_path: Path, role: str) -> None:
    for name in (*FILES[role], *WIDER_FILES[role]):
        path = tmp_path / f"{name}.csv"
        path.touch()
        assert find_file(tmp_path, role, None) == path
        path.unlink()


class Header(Source):
    """A header, and no more of a file."""

    def batches(self, columns):
        raise NotImplementedError


@pytest.mark.parametrize("role", COLUMNS)
def test_names_of_columns(role: str) -> None:
    names = [*COLUMNS[role], *CODES.get(role, ()), *WIDER_COLUMNS[role]]
    for noun in NOUNS.get(role, ()):
        names += [noun, f"{noun}_id", f"id_{noun}", f"{noun}_number", f"codigo_{noun}"]
    for name in names:
        assert find_column(Header("f", ["x", name.upper()]), role, None, "") == name.upper()


@pytest.mark.parametrize("role", NOUNS)
def test_names_of_ids_in_tables(role: str) -> None:
    for name in (*COLUMNS[role], *CODES[role], *NOUNS[role], "id"):
        assert require_id(Header("f", ["x", name]), f"{role}s", None) == name


@pytest.mark.parametrize("unit", TIME_UNITS)
def test_times_of_a_unit(unit: str) -> None:
    times = Times(InteractionsConfig(time_unit=unit))
    times.add(pa.array([time_examples(unit)]), "")
    assert times.finish("").seconds.tolist() == [MOMENT]


@pytest.mark.parametrize("group", EVENTS)
def test_events(group: tuple[str, ...]) -> None:
    weights = DataConfig().event_weights
    assert event_weights(group, weights) == [weights[group[0]]] * len(group)


@pytest.mark.parametrize("group", FEATURES)
def test_features(group: tuple[str, ...]) -> None:
    for name in group:
        assert find_feature(Header("f", ["x", name]), group[0], "") == name
        assert find_feature(Header("f", ["x", group[0]]), name, "") == group[0]


@pytest.mark.parametrize("misfit", MISFITS, ids=[misfit.rule for misfit in MISFITS])
def test_rules_of_rows(shop, misfit: Misfit) -> None:
    headers = 1 if misfit.data.get("header", True) else 0
    shop.split = {"strategy": "given", "column": "part" if headers else "6"}
    shop.data["users"] = {}
    shop.data["items"] = {"features": {"price": "numeric"}}
    shop.data |= misfit.data
    for file, lines in {"interactions.csv": LOG, "items.csv": ITEMS}.items():
        added = [misfit.row] if file == misfit.file else []
        shop.write(file, "\n".join([*lines[1 - headers :], *added]))
    np.save(shop.root / "price.npy", np.ones((3, 1)))
    shop.write("price.txt", "10\n11\n12\n")
    with pytest.raises(DataError, match=rf"{misfit.file}.*: line \d+ \(") as refused:
        shop.run()
    assert misfit.settles in str(refused.value)
    assert str(refused.value).endswith("data.on_invalid: drop")
    shop.data["on_invalid"] = "drop"
    read = shop.run()["read"][misfit.file.removesuffix(".csv")]
    if misfit.blanks:
        assert read["blanked_cells"] == 1
    else:
        assert read["dropped"] == {"total": 1, misfit.rule: 1}


def test_every_rule_of_the_code_is_there() -> None:
    written = [
        rule
        for path in sorted((REPOSITORY / "twotower" / "ingest").glob("*.py"))
        for rule in re.findall(
            r'(?:rule=|Rule\(|dropped\[)f?"([a-z_{}]+)"', path.read_text("utf-8")
        )
    ]
    rules = {rule.replace("{side}", side) for rule in written for side in ("user", "item")}
    of_new_items = {"known_id"}  # which prepare does not read
    assert rules - of_new_items == {misfit.rule for misfit in MISFITS}
