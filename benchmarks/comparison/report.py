"""The table, the frontier, and the CSV files that hold every point."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison.clock import FRONTIER
from benchmarks.comparison.datasets import Dataset
from benchmarks.comparison.tuning import Result, describe
from twotower.assessment.statistics.bounded_means import DIFFERENCE, confidence_bounds
from twotower.common.files import json_text, write_csv
from twotower.common.seeds import derive_seed
from twotower.evaluation.metrics import metric_label, random_expectation

SHOWN = ("recall_at_20", "ndcg_at_20", "recall_at_10", "ndcg_at_10")
Row = dict[str, Any]


def frontier(result: Result) -> dict[float, float | None]:
    """The best validation score that any setting has reached by each time; None: none has."""
    points = [point for run in result.runs for point in run.points]
    best: dict[float, float | None] = {}
    for mark in FRONTIER:
        values = [point.metrics[result.objective] for point in points if point.seconds <= mark]
        best[mark] = max(values, default=None)
    return best


def results_rows(results: Sequence[Result], ours: str, seed: int) -> list[Row]:
    """A row a method, those that are missing included.

    Args:
        results: of all methods on one data set.
        ours: the method that the others are compared with.
        seed: of the intervals.
    """
    our_test = next((result.test for result in results if result.method == ours), None)
    rows = []
    for result in results:
        row: Row = {"method": result.method, "status": result.missing or "scored"}
        if result.point is not None:
            row |= {
                "setting": json_text(result.setting, indent=None),
                "passes": result.point.passes,
                f"validation_{result.objective}": result.point.metrics[result.objective],
                "tuning_seconds": sum(run.points[-1].seconds for run in result.runs if run.points),
                "train_seconds": result.seconds,
            }
        if result.test is not None:
            values, draws = _columns(result.test.per_user), derive_seed(seed, "intervals")
            row |= _with_interval(values, confidence_bounds(values, seed=draws))
            if our_test is not None and result.method != ours:
                lead = _columns(our_test.per_user) - values
                ends = confidence_bounds(lead, seed=draws, limits=DIFFERENCE)
                row |= {f"lead_{k}": v for k, v in _with_interval(lead, ends).items()}
        rows.append(row)
    return rows


def print_table(rows: Sequence[Row], dataset: Dataset, ours: str) -> None:
    """Print what validation chose, and the test metrics with 95 % intervals."""
    print(f"\n{dataset.name}: test, {len(dataset.final.target):,} users, 95 % intervals")
    width = max(len(row["method"]) for row in rows)
    objective, label = dataset.objective, metric_label(dataset.objective)
    heads = [f"{metric_label(name):<23}" for name in SHOWN]
    print(f"{'':<{width}}  {'validation':<10}  {'  '.join(heads)}  {ours} leads by, {label}")
    for row in rows:
        if objective not in row:
            print(f"{row['method']:<{width}}  {row['status']}")
            continue
        cells = "  ".join(f"{_interval(row, name):<23}" for name in SHOWN)
        lead = _interval(row, f"lead_{objective}", sign="+") if f"lead_{objective}" in row else ""
        value = row[f"validation_{objective}"]
        print(f"{row['method']:<{width}}  {value:<10.4f}  {cells}  {lead}")
    print(f"{'random':<{width}}  {'':<10}  " + _random(dataset))


def print_settings(results: Sequence[Result]) -> None:
    """Print the settings that validation chose, and how long the final training took."""
    print("\nchosen on validation; seconds of training on train and validation")
    width = max(len(result.method) for result in results)
    for result in results:
        if result.point is None or result.seconds is None:
            continue
        passes = "" if result.point.passes is None else f"; {result.point.passes} passes"
        setting = f"{describe(result.setting)}{passes}"
        print(f"{result.method:<{width}}  {result.seconds:>7.1f} s  {setting}")


def print_frontier(results: Sequence[Result]) -> None:
    """Print the best validation score of each method after so many seconds of training."""
    label = metric_label(results[0].objective)
    print(f"\nvalidation {label} of the best setting after seconds of training")
    width = max(len(result.method) for result in results)
    print(f"{'':<{width}}" + "".join(f"{mark:>8g} s" for mark in FRONTIER))
    for result in results:
        if not result.runs:
            print(f"{result.method:<{width}}  {result.missing}")
            continue
        values = frontier(result).values()
        cells = [f"{'-' if value is None else format(value, '.4f'):>10}" for value in values]
        print(f"{result.method:<{width}}" + "".join(cells))


def write_files(results: Sequence[Result], rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write results.csv (a row per method), frontier.csv and points.csv (every score)."""
    tables: dict[str, list[Row]] = {
        "results": list(rows),
        "frontier": [
            {"method": result.method, "status": result.missing or "scored"}
            | {f"after_{mark:g}_s": value for mark, value in frontier(result).items()}
            for result in results
        ],
        "points": [row for result in results for row in _points(result)],
    }
    paths = []
    for name, table in tables.items():
        columns = list(dict.fromkeys(key for row in table for key in row))
        paths.append(folder / f"{name}.csv")
        write_csv(paths[-1], columns or ["method"], table)
    return paths


def _points(result: Result) -> list[Row]:
    """Every score of every setting, and every setting that has none."""
    rows: list[Row] = []
    for run in result.runs:
        common = {"method": result.method, "setting": json_text(run.setting, indent=None)}
        rows += [
            common | {"passes": point.passes, "seconds": point.seconds} | dict(point.metrics)
            for point in run.points
        ]
        if run.failure:
            rows.append(common | {"failure": run.failure})
    return rows


def _columns(per_user: Mapping[str, Any]) -> Any:
    return np.stack([per_user[name] for name in SHOWN], axis=1)


def _with_interval(values: Any, ends: tuple[Any, Any]) -> Row:
    row: Row = {}
    for name, mean, low, high in zip(SHOWN, values.mean(axis=0), *ends, strict=True):
        row |= {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def _interval(row: Row, name: str, sign: str = "") -> str:
    numbers = [format(row[f"{name}{end}"], f"{sign}.4f") for end in ("", "_low", "_high")]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _random(dataset: Dataset) -> str:
    expected = random_expectation(dataset.final.target, (10, 20)).summary()
    return "  ".join(f"{expected[name]:<23.4f}" for name in SHOWN)
