"""The content of a backtest that is known beforehand: three folds, of which one has no model."""

from typing import Any

GAIN = {
    "num_folds": 2,
    "num_rows": 20,
    "num_users": 12,
    "mean": 0.2,
    "without": 0.15,
    "difference": 0.05,
    "is_same": False,
    "low": 0.01,
    "high": 0.09,
    "p_value": 0.02,
}


def gain(**changes: Any) -> dict[str, Any]:
    return GAIN | changes


def score(fold: int, scorer: str, value: float) -> dict[str, Any]:
    row = {"fold": fold, "scorer": scorer, "num_users": 10, "value": value}
    ends = {"low": value - 0.05, "high": value + 0.05}
    gains = {"gain": 0.0, "gain_low": -0.1, "gain_high": 0.1}
    return row | ends | ({} if scorer == "optimized" else gains)


def content(**changes: Any) -> dict[str, Any]:
    folds = [
        {
            "from": f"2025-01-0{number} 00:00",
            "number": number,
            "to": f"2025-01-0{number + 1} 00:00",
            "best_params": {"lr": 0.1},
            "evaluated": {"num_users": 1_000 + number},
            "reason": None,
            "rows": {"train": 5, "validation": 3, "test": 2},
            "sentence": "beats every baseline",
            "verdict": "beats every baseline",
        }
        for number in (1, 2)
    ]
    left_out = {"from": "2025-01-03 00:00", "number": 3, "to": "2025-01-04 00:00",
                "reason": "nobody is there"}  # fmt: skip
    values = {"optimized": 0.2, "default": 0.15, "never_retrained": 0.1, "popularity": 0.01,
              "item_knn": 0.12, "ease": 0.14, "random": 0.001}  # fmt: skip
    return {
        "alpha": 0.05,
        "every_seconds": 86_400,
        "folds": [*folds, left_out],
        "format_version": 1,
        "gains": {"age_1": gain(), "never_retrained": gain(), "default": gain(p_value=0.5)},
        "level": 0.95,
        "n_trials": 4,
        "objective": "recall_at_10",
        "scores": [
            score(number, name, value) for number in (1, 2) for name, value in values.items()
        ],
        "verdicts": {"beats every baseline": 2},
    } | changes
