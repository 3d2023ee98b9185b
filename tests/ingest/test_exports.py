"""A fuzz of odd exports: read right, or refused with file, line, rule and the key to set."""

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.ingest.exports import Export, make
from twotower.common.errors import TwoTowerError
from twotower.config import parse_config
from twotower.config.data import DataConfig
from twotower.ingest.prepare import examine
from twotower.ingest.summary import summary

CONFIG = parse_config({"split": {"validation": 0, "test": 0}})
QUICK, ALL = 100, 700
BY_ROW = ("ragged", "blank id", "time", "number", "header")
"""Damage that costs a row."""


class Folder:
    """An export on disk, and what is read of it."""

    def __init__(self, folder: Path, export: Export) -> None:
        self.folder, self.export = folder / "raw", export
        for name, data in export.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def read(self, keys: dict[str, Any]) -> tuple[list[Any], str]:
        """The rows in some order, and the summary."""
        data: dict[str, Any] = {"root": str(self.folder)}
        for key, value in keys.items():
            *sections, last = key.split(".")
            section = data
            for name in sections:
                section = section.setdefault(name, {})
            section[last] = value
        config = CONFIG.model_copy(update={"data": DataConfig.model_validate(data)})
        got = examine(config, self.folder.parent / "out")
        columns = ["user_id", "item_id", "timestamp", "weight"]
        rows = got.splits["train"][columns].itertuples(index=False, name=None)
        return canonical(rows), summary(got.report)

    def refusal(self, keys: dict[str, Any]) -> str:
        """The message of the error; "" if there is none."""
        try:
            self.read(keys)
        except TwoTowerError as error:
            return str(error)
        return ""


def canonical(rows: Any) -> list[Any]:
    """Rows that compare equal if they mean the same; 7 is not "7"."""
    return sorted((repr(u), repr(i), int(second), round(w, 6)) for u, i, second, w in rows)


def check(folder: Folder, seed: int) -> None:
    """All outcomes that an export may have."""
    export = folder.export
    if export.damage:
        check_damaged(folder)
        return
    rows, said = folder.read(export.keys)
    assert rows == canonical(export.rows)
    assert [word for word in export.always if word not in said] == []
    rng = Random(-seed)  # noqa: S311 - no secret
    share = rng.choice((0, 0.3, 0.6))
    kept = {key: value for key, value in export.keys.items() if rng.random() < share}
    dropped = [key for key in export.keys if key not in kept]
    try:
        rows, said = folder.read(kept)
    except TwoTowerError as error:
        check_refusal(str(error), export, dropped)
        return
    if rows != canonical(export.rows):
        words = [export.said[key] for key in dropped if key in export.said]
        assert any(word in said for word in words), (dropped, said, rows, canonical(export.rows))


def check_refusal(message: str, export: Export, dropped: list[str]) -> None:
    """The message names the file, and a key that is missing."""
    names = [name for path in export.files for name in path.split("/")]
    assert any(name in message for name in names), message
    named = [key for key in dropped if f"data.{key}" in message or f" and {key[13:]} (" in message]
    assert named, (message, dropped)
    check_lines(message)


def check_lines(message: str) -> None:
    """One problem in one line, or a line for each of several."""
    first, *others = message.split("\n")
    assert len(others) != 1
    assert not others or re.fullmatch(r"\d+ problems with the raw files:", first), message
    assert all(re.match("- .|for invalid rows, ", line) for line in others), message


def check_damaged(folder: Folder) -> None:
    export = folder.export
    if export.damage == "text id":
        rows, said = folder.read(export.keys)
        assert "because of 'x12'" in said
        assert export.place in said
        export.keys |= {"users.id_type": "integer"}
    message = folder.refusal(export.keys)
    assert any(name.rpartition("/")[2] in message for name in export.files), message
    if export.damage != "byte":  # in any line of its row
        assert export.place in message
    if export.damage in (*BY_ROW, "text id"):
        assert "data.on_invalid: drop" in message
        left = [row for n, row in enumerate(export.rows) if n != export.damaged_row]
        rows, said = folder.read(export.keys | {"on_invalid": "drop"})
        assert rows == canonical(left)
        assert f"interactions: dropped 1 of {len(export.rows)} rows: 1 " in said
    elif export.damage == "byte":
        assert "byte 0xff at offset" in message
        assert "data.encoding" in message
    else:
        assert "stray" in message


def run(folder: Path, seed: int) -> None:
    check(Folder(folder / str(seed), make(seed)), seed)


@pytest.mark.parametrize("first", range(0, QUICK, 50))
def test_odd_exports(tmp_path, first):
    for seed in range(first, first + 50):
        run(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, ALL, 100))
def test_more_odd_exports(tmp_path, first):
    for seed in range(first, first + 100):
        run(tmp_path, seed)
