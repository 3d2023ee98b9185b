"""Files of users to recommend for, their ids or histories, read as `prepare` reads raw files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower.artifacts import Id, IdColumn
from twotower.common.arrays import Float64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.data.id_text import IdText
from twotower.ingest.ids import INTEGER, RawIds
from twotower.ingest.open_file import format_of, open_source, part_files
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import find_column, require_column, require_id
from twotower.ingest.row_check import RowCheck
from twotower.ingest.sources.raw_text import UNIT, RawText
from twotower.ingest.sources.source import Source
from twotower.ingest.times import RULE, Times

SEPARATORS = (",", ";", "\t", "|")
"""Tried where the header has no such columns with the separator that is expected."""


@dataclass(frozen=True)
class UserFile:
    """The users of a file.

    Attributes:
        ids: of each user.
        histories: items of each user, the latest last; None: the file is of users only.
        dropped: rows dropped per rule, if `data.on_invalid` says so.
    """

    ids: Sequence[Id]
    histories: Sequence[Sequence[Id]] | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)


def read_ids(path: Path, users: IdColumn, config: DataConfig) -> UserFile:
    """The users of a file, in its order, repeated ones too.

    Args:
        path: a file, a folder of part files or a pattern, in any format that `prepare` reads, with
            a recognised column of users; or one id per line, if its extension is of no format or
            the first line is a number.
        users: ids of the model, whose type the ids get.
        config: says how text files are written.

    Raises:
        DataError: if the file cannot be read, or a row breaks a rule.
    """
    if path.is_file() and not path.stat().st_size and format_of(path) is None:
        return UserFile([])  # no line, no user
    rows = _load(path, config, ["user"])
    if rows is None:
        return UserFile([])
    ids = rows.ids("user", users.text, integers=users.integers)
    return UserFile(rows.valid(ids).to_pylist(), dropped=rows.check.dropped)


def read_histories(path: Path, items: IdColumn, config: DataConfig) -> UserFile:
    """The users of a file of interactions, in the order of their first rows, and their items.

    Args:
        path: as for `read_ids`, with recognised columns of users and items. A column of times, if
            there is one, orders the items; without it, the order of the rows does.
        items: ids of the model, whose type the items get. Users are integers where the file says
            that they are numbers, as Parquet does, else text.
        config: says how text files are written.

    Raises:
        DataError: if the file cannot be read, or a row breaks a rule.
    """
    rows = _load(path, config, ["user", "item", "timestamp"])
    if rows is None:
        return UserFile([], [])
    users = rows.ids("user", items.text, integers=None)
    item_ids = rows.ids("item", items.text, integers=items.integers)
    times = rows.times()
    codes, distinct = pd.factorize(rows.valid(users).to_pandas())
    order = np.argsort(times[rows.check.valid], kind="stable")
    in_order = rows.valid(item_ids).take(pa.array(order)).to_pylist()
    histories: list[list[Id]] = [[] for _ in distinct]
    for code, item in zip(codes[order].tolist(), in_order, strict=True):
        histories[code].append(item)
    return UserFile(distinct.tolist(), histories, rows.check.dropped)


class _Rows:
    """The columns of a file, and a check of its rows."""

    def __init__(
        self, source: Source, roles: Mapping[str, str], table: pa.Table, config: DataConfig
    ) -> None:
        self._source, self._roles, self._table, self._config = source, roles, table, config
        self._problems = Problems()
        self.check = RowCheck(source, table.num_rows, config, self._problems)

    def valid(self, column: pa.Array) -> pa.Array:
        """The rows that have followed all rules; one that has not is an error, or dropped."""
        self.check.report()
        self._problems.raise_any()
        return column.filter(pa.array(self.check.valid))

    def ids(self, role: str, text: IdText | None, *, integers: bool | None) -> pa.Array:
        """[num_rows] ids of one type; `integers` None: of the type that the file gives them."""
        name = self._roles[role]
        raw = RawIds.of(self._table[name], self._source, name, f"data.{role}s.id_type")
        if integers is None:
            integers = raw.typed and raw.are_integers
        ids = raw.settle(integers=integers, text=text)
        self.check.require(
            ~ids.blank, rule=f"blank_{role}", column=name, expected="must not be blank"
        )
        expected = f"must be an integer, as the {role} ids of this model are"
        self.check.require(ids.present, rule=f"bad_{role}", column=name, expected=expected)
        return ids.column

    def times(self) -> Float64Array:
        """[num_rows] seconds since 1970; 0 without a column of times."""
        name = self._roles.get("timestamp")
        if name is None:
            return np.zeros(self._table.num_rows)
        times = Times(self._config.interactions, self._config.decimal)
        where = f"{self._source.name}: column {name!r}"
        for chunk in self._table[name].chunks:
            times.add(chunk, where)
        read = times.finish(where)
        expected = RULE.format(form=read.form)
        self.check.require(read.valid, rule="bad_timestamp", column=name, expected=expected)
        return read.seconds


def _load(path: Path, config: DataConfig, roles: Sequence[str]) -> _Rows | None:
    """The rows of a file; None if there are none, so that nobody is recommended anything."""
    source, columns = _open(path, config, roles)
    table = source.read(list(dict.fromkeys(columns.values())))
    if not table.num_rows and not source.num_ragged:
        return None
    return _Rows(source, columns, table, config)


def _open(path: Path, config: DataConfig, roles: Sequence[str]) -> tuple[Source, dict[str, str]]:
    """The file and the column of each role; of times only if there is one."""
    files = part_files(path)
    if not files and not path.is_dir():
        msg = f"{path}: no such file"
        raise DataError(msg)
    declared = config.interactions.format if "item" in roles else None
    format_name = None if not files or format_of(files[0]) else declared or "csv"
    errors = []
    for reading in _readings(config):
        try:
            source = open_source(path, reading, format_name)
            return source, dict(_columns(source, reading, roles))
        except DataError as error:
            errors.append(error)
    if len(roles) == 1 and files and _is_list(files[0], config):
        lines = config.model_copy(update={"header": False, "separator": UNIT.decode()})
        return open_source(path, lines, "csv"), {roles[0]: "1"}
    raise errors[0 if config.header else -1]


def _is_list(file: Path, config: DataConfig) -> bool:
    """Whether a file has one id per line: its extension is of no format, or a number its header."""
    file_format = format_of(file)
    if file_format is None or file_format.name not in ("csv", "tsv"):
        return file_format is None
    with RawText(file, config.encoding).open() as text:
        return re.match(INTEGER, text.readline().decode().strip()) is not None


def _readings(config: DataConfig) -> Iterator[DataConfig]:
    """Ways to read the file: with a header and each separator, then without if `config` says so."""
    for separator in dict.fromkeys([config.separator, *SEPARATORS]):
        yield config.model_copy(update={"separator": separator, "header": True})
    if not config.header:
        yield config


def _columns(source: Source, config: DataConfig, roles: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(role, column): as params.yaml names it, if the file has such a column, else recognised.

    Raises:
        DataError: if there is none of users or of items, or several are recognised.
    """
    columns = config.interactions.columns
    configured = {
        "user": (config.users.id, columns.user),
        "item": (config.items.id, columns.item),
        "timestamp": (columns.timestamp,),
    }
    only = source.header if len(source.header) == len(roles) == 1 and not config.header else ()
    for role in roles:
        key = f"data.interactions.columns.{role}"
        names = (*configured[role], *only)
        named = next((name for name in names if name in source.header), None)
        if role == "timestamp":
            named = "" if columns.timestamp == "" else named
            if column := find_column(source, role, named, key):
                yield role, column
        elif len(roles) == 1:  # a table of users
            yield role, require_id(source, "users", named)
        else:
            yield role, require_column(source, role, named, key)
