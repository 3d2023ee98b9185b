"""The requests of docs/export.md to files, as they are written, beside the recommender."""

from pathlib import Path
from typing import Any

import pytest

from tests.documents.blocks import blocks
from tests.export.conftest import expected, export
from twotower.export.destination import DESTINATIONS

EXPORTED = [
    ("parquet", "export/items", "items"),
    ("parquet", "export/users", "users"),
    ("npy", "export/array", "items"),
    ("faiss", "export/faiss", "items"),
    ("usearch", "export/usearch", "items"),
]
LIBRARIES = ("duckdb", "numpy", "faiss", "usearch")


def test_each_answers_as_the_recommender(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in LIBRARIES:
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    for name, folder, vectors in EXPORTED:
        export(model, DESTINATIONS[name], folder, vectors)
    names: dict[str, Any] = {}
    code = [block.text for block in blocks("docs/export.md") if block.language == "python"]
    for library in LIBRARIES:
        (text,) = (
            text for text in code if text.startswith((f"import {library}", f"from {library}"))
        )
        exec(text, names)  # noqa: S102 - it is ours
        for user in (42, 103, 105):
            assert names["recommend"](user, k=4) == expected(model, user, 4), library
