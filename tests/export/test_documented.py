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
BLOCKS = {
    "duckdb": ["duckdb"],
    "numpy": ["numpy"],
    "faiss": ["numpy", "faiss"],
    "usearch": ["numpy", "usearch"],
}
"""The blocks that are run, by the first library that each imports."""


@pytest.mark.slow  # to import all libraries
@pytest.mark.parametrize("library", BLOCKS)
def test_a_documented_request_is_answered_as_by_the_recommender(
    library: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    for name, folder, vectors in EXPORTED:
        if name in {"parquet", "npy", library}:
            export(model, DESTINATIONS[name], folder, vectors)
    names: dict[str, Any] = {}
    code = [block.text for block in blocks("docs/export.md") if block.language == "python"]
    for needed in BLOCKS[library]:
        (text,) = (text for text in code if text.startswith((f"import {needed}", f"from {needed}")))
        exec(text, names)  # noqa: S102 - it is ours
    for user in (42, 103, 105):
        assert names["recommend"](user, k=4) == expected(model, user, 4)
