"""The files of a backtest, and their reader.

backtest.json      all of it; what the report shows
headline.json      a few numbers, for DVC's tables
folds.csv          a row for each fold and scorer
backtest.html      the plot, with a sentence for each question; it loads plotly.min.js
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twotower.assessment.verdict import BEATS, BEATS_RUN
from twotower.backtest.chart import draw_backtest, mean_scores
from twotower.backtest.run import FORMAT_VERSION
from twotower.common.bounded import one_line
from twotower.common.errors import DataError
from twotower.common.files import check_seal, read_json, sealed, write_csv, write_json
from twotower.common.scorers import MODEL
from twotower.plots.pages import write_pages

RESULTS = "backtest.json"
COLUMNS = ["fold", "from", "to", "scorer", "num_users", "value", "low", "high",
           "gain", "gain_low", "gain_high"]  # fmt: skip


def write_backtest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write all files, each whole or not at all; the one that the report reads last.

    Args:
        folder: where they go.
        content: see `twotower.backtest.run.backtest`.
    """
    periods = {
        fold["number"]: {"from": fold["from"], "to": fold["to"]} for fold in content["folds"]
    }
    rows = [periods[row["fold"]] | row for row in content["scores"]]
    write_pages([draw_backtest(content)], folder)
    write_csv(folder / "folds.csv", COLUMNS, rows)
    write_json(folder / "headline.json", {"backtest": headline_of(content)})
    write_json(folder / RESULTS, sealed(content))


def headline_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The mean of the model over folds, and what each effort gains."""
    verdicts = content["verdicts"]
    return {
        content["objective"]: mean_scores(content)[MODEL],
        "beats": sum(verdicts.get(text, 0) for text in (BEATS, BEATS_RUN)),
        "folds": sum(verdicts.values()),
        "gain_over": {name: gain["difference"] for name, gain in content["gains"].items()},
    }


def read_backtest(folder: Path) -> dict[str, Any] | None:
    """Content of backtest.json; None if there is none.

    Raises:
        DataError: if it is damaged, or of another version.
    """
    path = folder / RESULTS
    again = "run twotower backtest again, or remove it"
    try:
        content = dict(read_json(path))
        check_seal(content)
        version = content["format_version"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: not a file of a backtest ({one_line(error)}); {again}"
        raise DataError(msg) from None
    if version != FORMAT_VERSION:
        msg = f"{path}: format version {version}, this twotower reads {FORMAT_VERSION}; {again}"
        raise DataError(msg)
    return content
