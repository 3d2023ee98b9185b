"""What a run on the sample data prints, from the metrics in git."""

import csv
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.conftest import REPOSITORY
from twotower.assessment.assess import Assessment
from twotower.assessment.per_user import PerUser
from twotower.assessment.summary import summary

METRICS = REPOSITORY / "metrics"
HEADING = re.compile(r"test \w+ on [\d,]+ users, with|trial \d+: \w+ [\d.]+, the best so far")
"""Lines of a block that shows a run."""
FIGURES = re.compile(
    rf"{HEADING.pattern}|  \w+ +\d\.\d{{4}}  |validation \d|  from validation|note: \d|verdict: "
)
"""Beginnings of the lines that `printed` has."""


def content(name: str) -> Any:
    return json.loads((METRICS / name).read_text(encoding="utf-8"))


def printed() -> list[str]:
    """Each new best trial, then the summary of refit."""
    return [*trials(), *scores()]


def scores() -> Iterator[str]:
    """The summary of refit, which needs no metrics of single users."""
    files = {name: content(f"{name}.json") for name in ("intervals", "verdict", "slices")}
    nobody = PerUser(pd.Series(dtype="int64"), np.zeros(0, np.int64))
    return summary(Assessment(content("test.json"), headline={}, bars=[], per_user=nobody, **files))


def trials() -> Iterator[str]:
    """A line for each trial that was the best so far."""
    objective, best = content("verdict.json")["objective"], float("-inf")
    with (METRICS / "hpo_trials.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["state"] == "COMPLETE" and float(row["value"]) > best:
                best = float(row["value"])
                params = ", ".join(
                    f"{name.removeprefix('params_')} {value}"
                    for name, value in row.items()
                    if name.startswith("params_") and value
                )
                yield (
                    f"trial {row['number']}: {objective} {best:.4f}, the best so far, with {params}"
                )
