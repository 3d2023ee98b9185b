"""The tables of docs/model.md are those of the code; run as a module, this file writes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.config.effects import EFFECTS
from twotower.config.training import LOSSES, SCHEDULES, STARTS
from twotower.data.features import KINDS

PATH = REPOSITORY / "docs" / "model.md"
YES_OR_NO = {True: "yes", False: "no"}
TABLES = {
    "kind of feature": [(kind.name, kind.summary, kind.cells.value) for kind in KINDS.values()],
    "`model.init`": [
        (start.name, start.summary, YES_OR_NO[start.is_model]) for start in STARTS.values()
    ],
    "`train.loss`": [
        (loss.name, loss.summary, loss.negatives.value, YES_OR_NO[loss.log_q])
        for loss in LOSSES.values()
    ],
    "hyperparameter": [(effect.name, effect.summary) for effect in EFFECTS.values()],
    "`train.schedule`": [(schedule.name, schedule.summary) for schedule in SCHEDULES.values()],
}
"""Rows by the heading of a table's first column."""


def row(name: str, *cells: str) -> str:
    return f"| {' | '.join([f'`{name}`', *cells])} |"


def renewed(text: str) -> Iterator[str]:
    """The lines of the document, with the rows of each table as the code has them."""
    lines = iter(text.splitlines())
    for line in lines:
        yield line
        heading = next((head for head in TABLES if line.startswith(f"| {head} |")), None)
        if heading is None:
            continue
        yield next(lines)  # the line below the header
        yield from (row(*cells) for cells in TABLES[heading])
        yield next(after for after in lines if not after.startswith("|"))


@pytest.mark.parametrize("heading", TABLES)
def test_the_document_has_the_table(heading: str) -> None:
    assert f"\n| {heading} |" in PATH.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert text.splitlines() == list(renewed(text)), "run python -m tests.test_doc_tables"


def write(path: Path = PATH) -> None:
    lines = renewed(path.read_text(encoding="utf-8"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
