"""Files of users to recommend for: their ids, or their histories."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from twotower.artifacts import Id
from twotower.common.errors import DataError

INTEGER = r"(0|-?[1-9][0-9]*)"
"""Text that an integer prints as; int() also takes 4_2 and 042, which are other ids."""


def read_ids(path: Path, column: str, *, integers: bool) -> list[Id]:
    """The ids in a file, in its order: a column of CSV or Parquet, otherwise one id per line.

    Args:
        path: .csv, .parquet, or text without a header.
        column: name of the column.
        integers: whether ids must be integers; otherwise they stay text.

    Raises:
        DataError: if the file cannot be read, or an id is missing or not an integer.
    """
    if path.suffix.lower() in (".csv", ".parquet"):
        values = _read_columns(path, [column])[column].to_pylist()
    else:
        values = _read_lines(path)
    return _typed(path, values, column, integers=integers)


def read_histories(path: Path, *, integers: bool) -> tuple[list[Id], list[list[Id]]]:
    """Users and the items of each, from the columns user_id and item_id of CSV or Parquet.

    Args:
        path: .csv or .parquet, one row per interaction; those of a user in order of time.
        integers: whether item ids must be integers.

    Returns:
        Distinct users in the order of their first row, as text from CSV, and their items.

    Raises:
        DataError: if the file cannot be read, or an id is missing or no integer.
    """
    table = _read_columns(path, ["user_id", "item_id"])
    items = _typed(path, table["item_id"].to_pylist(), "item_id", integers=integers)
    users = table["user_id"].to_pylist()
    kinds = {type(user) for user in users}
    if not (kinds <= {int} or kinds <= {str}) or "" in users:
        msg = f"{path}: user_id: every id must be an integer, or every id non-empty text"
        raise DataError(msg)
    codes, distinct = pd.factorize(np.array(users, dtype=object))
    histories: list[list[Id]] = [[] for _ in distinct]
    for code, item in zip(codes.tolist(), items, strict=True):
        histories[code].append(item)
    return list(distinct), histories


def _read_columns(path: Path, columns: Sequence[str]) -> Any:
    # Text: pyarrow would read 007 as a number, and NA as missing.
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), include_columns=list(columns)
    )
    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_table(path, columns=list(columns)).select(list(columns))
        return pyarrow.csv.read_csv(path, convert_options=options)
    except FileNotFoundError:
        msg = f"{path}: no such file"
    except (pa.ArrowException, KeyError, OSError) as error:
        msg = f"{path}: cannot read {' and '.join(columns)}: {' '.join(str(error).split())}"
    raise DataError(msg)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        msg = f"{path}: no such file"
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read as text: {error}"
    raise DataError(msg)


def _typed(path: Path, values: list[Any], column: str, *, integers: bool) -> list[Id]:
    ids: list[Id] = []
    for row, value in enumerate(values, start=1):
        if value is None or value == "":
            msg = f"{path}: row {row}: {column} is missing"
            raise DataError(msg)
        if not integers or path.suffix.lower() == ".parquet":
            ids.append(value)  # typed already; the model checks the type
            continue
        if re.fullmatch(INTEGER, value) is None:
            msg = f"{path}: row {row}: {column} must be an integer, got {value!r}"
            raise DataError(msg)
        ids.append(int(value))
    return ids
