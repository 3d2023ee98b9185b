"""The documents and the schema of params.yaml show what the code has.

Run as a module, this file renews them.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import pytest

from tests import data_flow
from tests.config.documented import ROWS as PARAMETERS
from tests.config.schema import params_schema
from tests.conftest import REPOSITORY
from tests.evaluation.documented import ROWS as METRICS
from tests.ingest.documented import ROWS as DATA
from twotower.baselines.baseline import BASELINES, Baseline
from twotower.common.yaml_file import read_yaml
from twotower.config.effects import EFFECTS
from twotower.config.indexes import INDEXES
from twotower.config.training_choices import LOSSES, SCHEDULES, STARTS
from twotower.data.features import KINDS
from twotower.export.destination import DESTINATIONS

DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
SCHEMA = REPOSITORY / "params.schema.json"
YES_OR_NO = {True: "yes", False: "no"}


def grid(baseline: Baseline) -> str:
    """The values of each key of the grid, which is their product."""
    keys = baseline.grid[0]
    values = {key: dict.fromkeys(setting[key] for setting in baseline.grid) for key in keys}
    return " \u00d7 ".join(f"{key} {', '.join(map(str, values[key]))}" for key in keys) or "\u2013"


def when(baseline: Baseline) -> str:
    if baseline.extra:
        return f"`refit.extra_baselines: [{baseline.name}]`"
    if baseline.kinds:
        return "cold items to find"
    return "every run, strong" if baseline.strong else "every run"


Rows = list[tuple[str, ...]]
TABLES: dict[str, dict[str, Rows]] = {
    "model.md": {
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
    },
    "data.md": DATA,
    "export.md": {"`--to`": [(row.name, row.summary) for row in DESTINATIONS.values()]},
    "metrics.md": METRICS,
    "parameters.md": PARAMETERS,
    "serving.md": {"`refit.index`": [(kind.name, kind.summary) for kind in INDEXES.values()]},
    "trust.md": {
        "baseline": [(row.name, row.summary, grid(row), when(row)) for row in BASELINES.values()],
    },
}
"""By document, rows by the heading of a table's first column."""


def row(name: str, *cells: str) -> str:
    code = f"`{name}`".replace("|", "\\|")
    return f"| {' | '.join([code, *cells])} |"


def renewed(text: str, tables: Mapping[str, Rows]) -> Iterator[str]:
    """The lines of a document, with the rows of each table as the code has them."""
    lines = iter(text.splitlines())
    for line in lines:
        yield line
        heading = next((head for head in tables if line.startswith(f"| {head} |")), None)
        if heading is None:
            continue
        yield next(lines)  # the line below the header
        yield from (row(*cells) for cells in tables[heading])
        yield from islice((after for after in lines if not after.startswith("|")), 1)


@pytest.mark.parametrize(
    ("document", "heading"), [(name, head) for name, tables in TABLES.items() for head in tables]
)
def test_the_document_has_the_table(document: str, heading: str) -> None:
    assert f"\n| {heading} |" in (DOCS / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", TABLES)
def test_the_tables_are_those_of_the_code(document: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")
    wanted = list(renewed(text, TABLES[document]))
    assert text.splitlines() == wanted, "run python -m tests.test_doc_tables"


def test_the_figure_is_that_of_the_pipeline() -> None:
    text = README.read_text(encoding="utf-8")
    assert data_flow.BLOCK.search(text)
    assert text == data_flow.renewed(text), "run python -m tests.test_doc_tables"


def schema_text() -> str:
    """Keys are in the order of params.yaml."""
    return json.dumps(params_schema(), indent=1, ensure_ascii=False) + "\n"


def test_the_schema_of_params_yaml_is_that_of_the_code() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    assert text == schema_text(), "run python -m tests.test_doc_tables"


def test_the_readme_compares_by_measured_figures() -> None:
    comparison = README.read_text(encoding="utf-8").partition("## Compared")[2].partition("##")[0]
    figures = set(re.findall(r"\.\d{4}", comparison))
    measured = re.findall(r"\.\d{4}", (DOCS / "quality.md").read_text(encoding="utf-8"))
    assert figures
    assert figures <= set(measured)


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = read_yaml(REPOSITORY / "CITATION.cff")
    for key in ("version", "license"):
        assert citation[key] == project[key]


def write(folder: Path = DOCS) -> None:
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    for name, tables in TABLES.items():
        lines = renewed((folder / name).read_text(encoding="utf-8"), tables)
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    README.write_text(data_flow.renewed(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
