"""What lies between the validation score of the winner and its test score."""

from collections.abc import Mapping
from typing import Any

from twotower.assessment.encoded_splits import EncodedSplits
from twotower.assessment.intervals import seed_spread
from twotower.assessment.scoreboard import Scoreboard
from twotower.assessment.verdict import MODEL

DAY = 86_400.0


def gap(board: Scoreboard, search: Mapping[str, Any], rows: EncodedSplits) -> dict[str, Any]:
    """Section `gap` of metrics/verdict.json.

    The validation score is that by which a trial was chosen among many, so it is too high; its
    mean over fresh seeds is so only by what choosing among the confirmed few adds; the test score
    has chosen nothing. Beside them is what else changed: more rows to train on, and a later
    period.

    Args:
        board: with the optimized model.
        search: content of hpo_results.json.
        rows: of all splits.
    """
    objective = board.task.objective
    tested = board.evaluations[MODEL].per_user[objective]
    trial = _winner(search)
    return {
        "confirmed": _confirmed(search),
        "later_by_days": _later_by_days(rows),
        "objective": objective,
        "seeds": seed_spread(board)[objective],
        "test": {
            "num_users": len(tested),
            "random": float(board.random.per_user[objective].mean()),
            "training_rows": len(rows.known),
            "value": float(tested.mean()),
        },
        "validation": trial
        and {
            "num_users": search.get("num_users"),
            "random": search.get("random", {}).get(objective),
            "training_rows": len(rows.train),
            "value": trial["value"],
        },
    }


def _winner(search: Mapping[str, Any]) -> dict[str, Any] | None:
    """The trial whose hyperparameters were refitted: the confirmed one, or the best."""
    best: dict[str, Any] | None = search.get("best_trial")
    return _chosen(search) or best


def _confirmed(search: Mapping[str, Any]) -> dict[str, Any] | None:
    chosen = _chosen(search)
    return chosen and {key: chosen[key] for key in ("mean", "std", "values")}


def _chosen(search: Mapping[str, Any]) -> dict[str, Any] | None:
    confirm = search.get("confirm") or {"trials": [], "chosen": None}
    return next((t for t in confirm["trials"] if t["number"] == confirm["chosen"]), None)


def _later_by_days(rows: EncodedSplits) -> float | None:
    """Days from the average validation event to the average test event; None without times."""
    if not (rows.timed and len(rows.validation) and len(rows.test)):
        return None
    means = [float(part.timestamp.mean()) for part in (rows.validation, rows.test)]
    return (means[1] - means[0]) / DAY
