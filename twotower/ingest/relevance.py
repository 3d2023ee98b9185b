"""Which rows count when a ranking is scored: evaluate.relevant."""

from collections.abc import Sequence

import numpy as np

from twotower.common.arrays import BoolArray
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.config.training import RelevantConfig
from twotower.ingest.event_rows import EventRows
from twotower.ingest.recognised_names import event_type


def relevance(rows: EventRows, data: DataConfig, relevant: RelevantConfig) -> BoolArray | None:
    """[num_rows] whether each row counts, valid or not; None: all do.

    Args:
        rows: as read.
        data: gives the types of event.
        relevant: the conditions, all of which a row must meet.

    Raises:
        DataError: if a column is missing that a condition needs, or no row has an event type.
    """
    if relevant == RelevantConfig():
        return None
    counts = np.ones(sum(rows.num_rows), dtype=bool)
    if relevant.events is not None:
        counts &= _of_types(rows, data, relevant.events)
    if relevant.min_weight is not None:
        if rows.weight is None:
            raise _no_column(rows, "min_weight", "weight")
        counts &= rows.weight >= relevant.min_weight
    return counts


def _of_types(rows: EventRows, data: DataConfig, events: Sequence[str]) -> BoolArray:
    """[num_rows] whether the event of each row is of one of these types."""
    if "event" not in rows.texts:
        raise _no_column(rows, "events", "event")
    texts, codes = rows.texts["event"]
    of_texts = [event_type(text, data.event_weights) for text in texts.to_pylist()]
    wanted = set()
    for event in events:
        name = event_type(event, data.event_weights)
        if name is None:
            types = ", ".join(data.event_weights)
            msg = (
                "evaluate.relevant.events: must be event types in data.event_weights "
                f"({types}), got {event}"
            )
            raise DataError(msg)
        if name not in of_texts:
            found = ", ".join(sorted(filter(None, set(of_texts))))
            msg = (
                f"{_files(rows)}: no row is a {event} (evaluate.relevant.events); "
                f"the rows are: {found}"
            )
            raise DataError(msg)
        wanted.add(name)
    return np.array([name in wanted for name in of_texts], dtype=bool)[codes]


def _no_column(rows: EventRows, key: str, role: str) -> DataError:
    return DataError(
        f"{_files(rows)}: evaluate.relevant.{key} needs a column of {role}s, and there is none; "
        f"set data.interactions.columns.{role}, or evaluate.relevant.{key}: null"
    )


def _files(rows: EventRows) -> str:
    return ", ".join(part.source.name for part in rows.inputs)
