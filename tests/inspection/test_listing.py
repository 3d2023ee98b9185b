from pathlib import Path

import pytest

from twotower.common.errors import DataError
from twotower.inspection.listing import tables_of


@pytest.mark.parametrize(
    ("files", "tables"),
    [
        (["b.csv", "a.csv"], ["a.csv", "b.csv"]),
        (["ventas_2024.csv", "ventas_2025.csv", "x.csv"], ["ventas_*.csv", "x.csv"]),
        (["log-2025-01-01.csv", "log-2025-01-02.csv"], ["log-*.csv"]),
        (["ventas_2024.csv"], ["ventas_2024.csv"]),
        (["u1.base", "u2.base", "ua.base"], ["u1.base", "u2.base", "ua.base"]),
        ([".hidden.csv", "_SUCCESS", "README.md", "plot.png"], []),
        (["events/part-00000-3f0c.parquet", "events/part-00001-9a1b.parquet", "events/_SUCCESS"],
         ["events"]),
        (["events/part-0.csv", "events/part-1.parquet"], ["events"]),
        (["other/ventas.csv", "other/clientes.csv"], []),
    ],
)  # fmt: skip
def test_tables(tmp_path: Path, files: list[str], tables: list[str]) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (tmp_path / "empty.csv").touch()
    assert list(tables_of(tmp_path)) == tables


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder"):
        list(tables_of(tmp_path / "absent"))
