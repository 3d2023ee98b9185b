"""docs/notebook.ipynb with the outputs of its cells; run as a module, this file writes it.

    python -m tests.notebook.document

It does of Jupyter what this needs: what a cell prints, and the value of its last line.
"""

import ast
import io
import json
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import Any

from tests.conftest import REPOSITORY
from twotower.common.files import write_text

PATH = REPOSITORY / "docs" / "notebook.ipynb"
CELLS: tuple[tuple[str, str], ...] = (
    (
        "markdown",
        "# From a data frame to recommendations\n\n"
        "The sample shop: 1,800 users, 1,800 items, 15,487 events. [python.md](python.md) explains "
        "every argument.",
    ),
    (
        "code",
        "import pandas as pd\n\n"
        "import twotower\n\n"
        'events = pd.read_csv("../data/sample/interactions.csv")\n'
        'products = pd.read_csv("../data/sample/items.csv")\n'
        'customers = pd.read_csv("../data/sample/users.csv")\n'
        "events.head(3)",
    ),
    (
        "markdown",
        "One call checks the data, holds events out, searches hyperparameters, trains the final "
        "model and compares it with baselines, as `dvc repro` does in the repository.",
    ),
    ("code", "model = twotower.fit(events, items=products, users=customers)"),
    ("markdown", "What may be concluded, and the scores on events that no trial has seen:"),
    ("code", "model.verdict"),
    ("code", "model.scores.round(4)"),
    (
        "markdown",
        "Recommendations for users; one that the model does not know gets popular items. "
        "`to_frame()` makes a data frame of them.",
    ),
    ("code", "model.recommend([42, 999_999], k=3)"),
    ("markdown", "For a new user, by what they have looked at, and items that are like another:"),
    ("code", "model.recommend_from_history([12, 250], k=3)"),
    ("code", "model.similar_items([12], k=3)"),
)
"""Kind and source of each."""


def executed() -> dict[str, Any]:
    """The notebook with outputs, in nbformat 4.5."""
    names: dict[str, Any] = {}
    cells: list[dict[str, Any]] = []
    with chdir(PATH.parent):
        for number, (kind, source) in enumerate(CELLS):
            cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source}
            if kind == "code":
                count = sum(one["cell_type"] == "code" for one in cells) + 1
                cell |= {"execution_count": count, "outputs": outputs(source, names, count)}
            cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def outputs(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """What a cell shows; progress, which goes to stderr and depends on the machine, is left out."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)  # noqa: S102
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
    shown: list[dict[str, Any]] = []
    if text := printed.getvalue():
        shown.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        html = {"text/html": value._repr_html_()} if hasattr(value, "_repr_html_") else {}
        data = {**html, "text/plain": repr(value)}
        result = {"data": data, "execution_count": count, "metadata": {}}
        shown.append({**result, "output_type": "execute_result"})
    return shown


if __name__ == "__main__":
    write_text(PATH, json.dumps(executed(), indent=1, ensure_ascii=False) + "\n")
