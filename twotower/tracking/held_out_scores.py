"""What refit says of the test split, for the run of the search that chose the model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.scorers import MODEL

FILES = ("test.json", "verdict.json", "intervals.json", "slices.json", "baselines.csv")
"""Of the folder `metrics`: means and conclusions, nothing of single users."""


@dataclass(frozen=True)
class HeldOutScores:
    """Scores on the test split, and what they mean.

    Attributes:
        metrics: `test/<metric>` of the model, `test/<scorer>/<objective>` of what it is compared
            with; empty if the test split was not scored.
        verdict: in one sentence; without scores, the reason.
        files: that say more.
    """

    metrics: Mapping[str, float]
    verdict: str
    files: Sequence[Path]


def read_held_out_scores(folder: Path) -> HeldOutScores | None:
    """What refit left in the folder `metrics`; None if it has not run.

    Raises:
        Exception: if a file is not one of refit's.
    """
    scores, verdict = folder / "test.json", folder / "verdict.json"
    if not (scores.exists() and verdict.exists()):
        return None
    sections = json.loads(scores.read_text(encoding="utf-8"))
    conclusion = json.loads(verdict.read_text(encoding="utf-8"))
    if not sections["scored"]:
        return HeldOutScores({}, f"not scored: {conclusion['reason']}", _existing(folder))
    metrics = _numbers(sections[MODEL], "test") | {
        f"test/{scorer}/{conclusion['objective']}": float(section[conclusion["objective"]])
        for scorer, section in sections.items()
        if scorer != MODEL and isinstance(section, dict) and conclusion["objective"] in section
    }
    return HeldOutScores(metrics, conclusion["sentence"], _existing(folder))


def _numbers(values: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {
        f"{prefix}/{name}": float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _existing(folder: Path) -> list[Path]:
    return [folder / name for name in FILES if (folder / name).exists()]
