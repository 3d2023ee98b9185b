"""Section `gap` of metrics/verdict.json: what lies between validation and test score."""

from collections.abc import Mapping
from typing import Any

from twotower.assessment.intervals import seed_spread
from twotower.assessment.scoreboard import Scoreboard
from twotower.common.scorers import MODEL
from twotower.common.units import DAY


def gap(board: Scoreboard, search: Mapping[str, Any]) -> dict[str, Any]:
    """The winner's scores, and what changed from validation to test.

    The validation score is biased upwards, as it chose one trial among many. Its mean over fresh
    seeds is biased only by the choice among the few confirmed trials, and the test score by none.
    Beside them is what else changed: the number of training rows, and the period.

    Args:
        board: with the optimized model.
        search: content of hpo_results.json.
    """
    objective = board.objective
    test = board.evaluations[MODEL].per_user[objective]
    confirmed = _confirmed_winner(search)
    winner = confirmed or search.get("best_trial")
    return {
        "confirmed": confirmed and {key: confirmed[key] for key in ("mean", "std", "values")},
        "later_by_days": _later_by_days(board),
        "objective": objective,
        "seeds": seed_spread(board)[objective],
        "test": {
            "num_users": len(test),
            "random": float(board.random.per_user[objective].mean()),
            "training_rows": len(board.training.interactions),
            "value": float(test.mean()),
        },
        "validation": winner
        and {
            "num_users": search.get("num_users"),
            "random": search.get("random", {}).get(objective),
            "training_rows": _training_rows(search) or len(board.splits["train"]),
            "value": winner["value"],
        },
    }


def _confirmed_winner(search: Mapping[str, Any]) -> dict[str, Any] | None:
    """The trial that fresh seeds chose; None without `hpo.confirm`."""
    confirm = search.get("confirm") or {"trials": [], "chosen": None}
    return next((t for t in confirm["trials"] if t["number"] == confirm["chosen"]), None)


def _training_rows(search: Mapping[str, Any]) -> int | None:
    """Rows that the winner was trained on, of a sample's last rung; None without `hpo.sample`."""
    if (sample := search.get("sample")) is None:
        return None
    finished = [
        rung for rung in sample["rungs"] if any(run["failure"] is None for run in rung["trials"])
    ]
    return int([sample, *finished][-1]["num_train_rows"])


def _later_by_days(board: Scoreboard) -> float | None:
    """Days from the average validation event to the average test event; None without times."""
    splits = [board.splits[name] for name in ("validation", "test")]
    if not (board.training.interactions.has_times and all(map(len, splits))):
        return None
    means = [float(split.timestamp.mean()) for split in splits]
    return (means[1] - means[0]) / DAY
