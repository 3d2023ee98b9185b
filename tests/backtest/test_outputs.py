import csv
import json
import re
from pathlib import Path

import pytest

from tests.backtest.contents import content
from twotower.backtest.outputs import headline_of, read_backtest, write_backtest
from twotower.common.errors import DataError
from twotower.common.files import canonical


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_backtest(tmp_path / "backtest", content())
    return tmp_path / "backtest"


def test_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "backtest.html", "backtest.json", "folds.csv", "headline.json", "plotly.min.js",
    ]  # fmt: skip
    with (folder / "folds.csv").open(encoding="utf-8", newline="") as handle:
        first, second, *_ = csv.DictReader(handle)
    assert first == {
        "fold": "1", "from": "2025-01-01 00:00", "to": "2025-01-02 00:00", "scorer": "optimized",
        "num_users": "10", "value": "0.2", "low": "0.15", "high": "0.25",
        "gain": "", "gain_low": "", "gain_high": "",
    }  # fmt: skip
    assert (second["scorer"], second["gain"], second["gain_high"]) == ("default", "0.0", "0.1")
    page = (folder / "backtest.html").read_text(encoding="utf-8")
    assert "Not searching at all, with the defaults of params.yaml" in page


def test_the_headline_is_what_tables_show(folder: Path) -> None:
    assert json.loads((folder / "headline.json").read_text(encoding="utf-8")) == {
        "backtest": {
            "beats": 2,
            "folds": 2,
            "gain_over": {"age_1": 0.05, "default": 0.05, "never_retrained": 0.05},
            "recall_at_10": 0.2,
        }
    }


def test_a_qualified_verdict_beats_too() -> None:
    verdicts = {"beats every baseline that was run": 1, "no better than random": 2}
    headline = headline_of(content(verdicts=verdicts))
    assert (headline["beats"], headline["folds"]) == (1, 3)


def test_what_is_written_is_read(folder: Path, tmp_path: Path) -> None:
    found = read_backtest(folder)
    assert found is not None
    del found["sha256"]
    assert found == canonical(content())
    assert read_backtest(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("0.2", "0.3"), "its checksum is wrong"),
        (("{", "["), "not a file of a backtest"),
        (('"level"', '"leval"'), "its checksum is wrong"),
    ],
)
def test_a_damaged_file_is_named(folder: Path, change: tuple[str, str], reason: str) -> None:
    path = folder / "backtest.json"
    path.write_text(path.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{reason}.*run twotower"):
        read_backtest(folder)


def test_a_later_version_is_not_read(tmp_path: Path) -> None:
    write_backtest(tmp_path, content(format_version=2))
    with pytest.raises(DataError, match="format version 2, this twotower reads 1"):
        read_backtest(tmp_path)
