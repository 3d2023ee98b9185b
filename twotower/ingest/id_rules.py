"""The rules for ids that must each occur once: those of a table, and those of vectors in a file."""

import numpy as np
import pyarrow as pa

from twotower.ingest.ids import Ids
from twotower.ingest.row_check import RowCheck


def check_ids(ids: Ids, name: str, check: RowCheck, key: str) -> None:
    """Require ids that are not blank, of the right type, and distinct.

    Args:
        ids: of all rows.
        name: of their column, for messages.
        check: of the rows.
        key: what makes ids integers where they are, for messages.
    """
    check.require(~ids.blank, rule="blank_id", column=name, expected="must not be blank")
    check.require(
        ids.present,
        rule="bad_id",
        column=name,
        expected=f"must be an integer ({key})",
    )
    # Of the rows with one id, the first that is valid so far is kept.
    repeated = np.zeros(len(check.valid), dtype=bool)
    valid = ids.column.filter(pa.array(check.valid))
    repeated[check.valid] = valid.to_pandas().duplicated().to_numpy()
    check.require(~repeated, rule="duplicate_id", column=name, expected="must not repeat an id")
