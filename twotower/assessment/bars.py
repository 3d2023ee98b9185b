"""The objective of the model and of every baseline, for a bar each."""

from collections.abc import Mapping
from typing import Any

from twotower.common.scorers import MODEL, RANDOM

COLUMNS = ["scorer", "metric", "value", "low", "high"]


def in_order(metrics: Mapping[str, Any], objective: str) -> list[str]:
    """The scorers: the model, baselines from the best to those that were skipped, random."""
    values = {
        name: section.get(objective, -1.0)
        for name, section in metrics.items()
        if isinstance(section, dict) and (objective in section or "failure" in section)
    }
    others = sorted(values.keys() - {MODEL, RANDOM}, key=lambda name: (-values[name], name))
    return [MODEL, *others, RANDOM]


def bars(
    metrics: Mapping[str, Any], intervals: Mapping[str, Any], objective: str
) -> list[dict[str, Any]]:
    """A row for each scorer that was not skipped, with the ends of its interval, if it has one.

    Args:
        metrics: the sections of test.json.
        intervals: by scorer and metric, from intervals.json.
        objective: the metric that is shown.
    """
    rows = []
    for name in in_order(metrics, objective):
        if "failure" in metrics[name]:
            continue
        low, high = intervals.get(name, {}).get(objective, (None, None))
        value = metrics[name][objective]
        rows.append({"scorer": name, "metric": objective, "value": value, "low": low, "high": high})
    return rows
