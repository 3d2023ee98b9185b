"""The few metrics of a split that DVC compares; all others are in files that it only keeps."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BESIDE = "mrr"
"""Shown beside the objective: it needs no cut-off, and is always measured."""


def headline_file(details: Path) -> Path:
    """Where the headline of a file of metrics goes: metrics/headline/ has its namesake."""
    return details.parent / "headline" / details.name


def headline(
    split: str, metrics: Mapping[str, Any] | None, objectives: Iterable[str], **further: Any
) -> dict[str, Any]:
    """The headline of a split, under its name, so that no column of two splits has the same.

    Args:
        split: validation or test.
        metrics: of the model; None: there are none.
        objectives: the metrics that were searched for; one that is not measured is left out.
        further: what else there is to say.
    """
    if metrics is None:
        return {split: {"scored": False}}
    shown = {name: metrics[name] for name in (*objectives, BESIDE) if name in metrics}
    return {split: shown | further}
