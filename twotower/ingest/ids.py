"""Ids of users or items: integers or text, decided once for table and interactions."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Int32Array
from twotower.common.errors import DataError
from twotower.data.id_text import IdText
from twotower.ingest.codes import Codes
from twotower.ingest.convert import as_ids
from twotower.ingest.sources.source import Source

INTEGER = r"^(0|-?[1-9][0-9]{0,18})(\.0+)?$"
"""Integers in canonical form, or as floats that are whole; 007, +5 and -0 are not."""

ROUNDED = r"[0-9]([.,][0-9]+)?E\+[0-9]{2,3}"
"""1.23457E+12, as spreadsheets show and export 1234567890123."""
NOTABLE = 0.1
"""Share of ids that are integers, beside others, from which they may all have been meant so."""
NULL_WORDS = {"null", "(null)", "none", "nan", "na", "n/a", "<na>", "nil", "undefined", "\\n"}
"""What exports write where there is no value, in small letters."""


@dataclass(frozen=True)
class RawIds:
    """A column of ids as the source holds it.

    Attributes:
        values: [num_values] distinct values, string or int64.
        codes: [num_rows] position in `values`; -1 for null.
        typed: whether the source itself says whether ids are text.
        where: source and column, for messages.
        headers: names of columns of ids; a header that is repeated further down does not make ids
            text.
    """

    values: pa.Array
    codes: Int32Array
    typed: bool
    where: str
    headers: Sequence[str] = ()

    @classmethod
    def of(cls, column: pa.ChunkedArray, source: Source, name: str, key: str) -> "RawIds":
        """The ids of a whole column.

        Args:
            column: [num_rows] of any type.
            source: of the column.
            name: of the column.
            key: the parameter that declares their type.

        Raises:
            DataError: if the type is not one of ids.
        """
        codes = Codes()
        where = f"{source.name}: column {name!r}"
        for chunk in column.chunks:
            codes.add(as_ids(chunk, where, key))
        headers = [name] if source.has_header else []
        return cls(*codes.finish(), source.typed, where, headers)

    @property
    def are_integers(self) -> bool:
        """Whether all are integers, by their type or, in a source without types, their form."""
        if self.typed:
            return bool(pa.types.is_integer(self.values.type))
        return not self._is_text.any()

    @cached_property
    def _is_integer(self) -> BoolArray:
        """[num_values] whether a value is one, by its type or its form."""
        if pa.types.is_integer(self.values.type):
            return np.ones(len(self.values), dtype=bool)
        return _mask(_as_integers(IdText().column(self.values)).is_valid())

    @cached_property
    def _is_text(self) -> BoolArray:
        """[num_values] whether a value is neither blank nor an integer nor the header."""
        if pa.types.is_integer(self.values.type):
            return np.zeros(len(self.values), dtype=bool)
        texts = IdText().column(self.values)
        return ~(
            self._is_integer | _mask(pc.equal(texts, "")) | _mask(is_header(texts, self.headers))
        )

    def odd_text(self) -> int | None:
        """Position of the first value that is text where others are integers; None: there is none.

        Codes of letters and digits, a few of which have no letter, do not count: the integers must
        be a `NOTABLE` share of the rows or of the values.
        """
        if self.typed or not self._is_text.any():
            return None
        rows = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        share_of_rows = rows[self._is_integer].sum() / rows.sum()
        if max(share_of_rows, self._is_integer.mean()) < NOTABLE:
            return None
        return int(np.argmax(self._is_text))

    def first_odd_text(self) -> tuple[str, int] | None:
        """The value of `odd_text` and its first row."""
        position = self.odd_text()
        if position is None:
            return None
        return self.values[position].as_py(), int(np.argmax(self.codes == position))

    def settle(self, *, integers: bool, text: IdText | None) -> "Ids":
        """The ids, all of one type.

        Args:
            integers: whether they are to be integers; otherwise text.
            text: how text is written; None: as it is.
        """
        values = self.values
        if pa.types.is_integer(values.type):
            return Ids(values if integers else values.cast(pa.string()), self)
        if integers:
            return Ids(_as_integers(IdText().column(values)), self)
        values = text.column(values) if text else values
        return Ids(pc.if_else(pc.equal(values, ""), None, values), self)


@dataclass(frozen=True)
class Ids:
    """A column of ids of one type.

    Attributes:
        values: [num_values] int64 or string for each of `raw.values`; null where it is blank or not
            of the type. Several may be equal.
        raw: as the source holds them.
    """

    values: pa.Array
    raw: RawIds

    @property
    def column(self) -> pa.Array:
        """[num_rows] the id of each row; null where there is none."""
        return self.values.take(_nullable(self.raw.codes))

    @property
    def blank(self) -> BoolArray:
        """[num_rows] whether the source has nothing there."""
        texts = self.raw.values
        if pa.types.is_integer(texts.type):
            return self.raw.codes < 0
        empty = pc.equal(IdText().column(texts), "")
        return self.each(_mask(empty), null=True)

    @property
    def present(self) -> BoolArray:
        """[num_rows] whether the row has an id."""
        return self.each(_mask(self.values.is_valid()), null=False)

    def each(self, of_values: BoolArray, *, null: bool) -> BoolArray:
        """[num_rows] what is said of each row's value, and of null."""
        return np.append(of_values, null)[self.raw.codes]


@dataclass(frozen=True)
class Oddities:
    """What looks odd among ids that are text.

    Attributes:
        null_words: rows of each id that may stand for none.
        enclosed: the first id if all are in marks that only some programs undo: '7' or `7`.
        rounded: the first id that looks like a number of which a spreadsheet kept a few digits.
        alike: number of ids that are another one but for the Unicode form of letters with accents.
    """

    null_words: dict[str, int]
    enclosed: str | None
    rounded: str | None
    alike: int


def is_header(texts: Any, names: Sequence[str]) -> Any:
    """[num_texts] whether a text is one of the names, in capitals or not."""
    small = pa.array([name.lower() for name in names], pa.string())
    return pc.is_in(pc.utf8_lower(texts), value_set=small)


def describe_ids(ids: pa.Array) -> str:
    """What the ids are, for a message: "integers such as 7", or "text such as '007'".

    Args:
        ids: [num_ids] int64 or string, without null.
    """
    if not len(ids):
        return "no valid ids"
    if pa.types.is_integer(ids.type):
        return f"integers such as {ids[0].as_py()}"
    not_integers = ids.filter(_as_integers(ids).is_null())
    return f"text such as {(not_integers if len(not_integers) else ids)[0].as_py()!r}"


def oddities(ids: pa.Array, codes: Int32Array) -> Oddities:
    """What looks odd among ids, integers or text.

    Args:
        ids: [num_ids] distinct ids.
        codes: [num_rows] position of each row's in `ids`; each has a row.
    """
    if not len(ids) or pa.types.is_integer(ids.type):
        return Oddities({}, None, None, 0)
    texts = ids.to_pandas()
    is_word = texts.str.lower().isin(NULL_WORDS).to_numpy(bool)
    counts = np.bincount(codes, minlength=len(ids)) if is_word.any() else np.zeros(len(ids))
    is_enclosed = any(texts.str.fullmatch(mark).all() for mark in ("'.*'", "`.*`"))
    is_rounded = texts.str.fullmatch(ROUNDED).to_numpy(bool)
    accented = ids.filter(pc.invert(pc.string_is_ascii(ids))).to_pylist()
    return Oddities(
        null_words={
            word: int(count) for word, count in zip(texts[is_word], counts[is_word], strict=True)
        },
        enclosed=str(texts[codes[0]]) if is_enclosed else None,
        rounded=str(texts[codes[np.argmax(is_rounded[codes])]]) if is_rounded.any() else None,
        alike=len(accented) - len({unicodedata.normalize("NFC", text) for text in accented}),
    )


def choose_integers(raw: RawIds, id_type: str, key: str, table: Ids | None = None) -> bool:
    """Whether ids are to be integers.

    Args:
        raw: the ids.
        id_type: auto, integer or text.
        key: the parameter that says so, for the message.
        table: ids of the users or items table, whose type the interactions follow.

    Raises:
        DataError: if table and interactions have types of their own, and not the same one.
    """
    if id_type != "auto":
        return id_type == "integer"
    if table is None:
        return raw.are_integers
    integers: bool = pa.types.is_integer(table.values.type)
    if raw.typed and len(raw.values) and raw.are_integers != integers:
        msg = (
            f"{raw.where}: ids are {describe_ids(raw.values)}, but those in {table.raw.where} are "
            f"{describe_ids(table.values.drop_null())}; set {key} to integer or text"
        )
        raise DataError(msg)
    return integers


def _as_integers(texts: pa.Array) -> pa.Array:
    """[num_ids] int64; null where a text is not an integer of 64 bits."""
    integers = pc.if_else(pc.match_substring_regex(texts, INTEGER), texts, None)
    integers = pc.replace_substring_regex(integers, r"\.0+$", "")
    try:
        return integers.cast(pa.int64())
    except pa.ArrowInvalid:  # some of those with 19 digits
        return pa.array([_fitting(text) for text in integers.to_pylist()], pa.int64())


def _fitting(text: str | None) -> int | None:
    value = None if text is None else int(text)
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _nullable(codes: Int32Array) -> pa.Array:
    return pa.array(codes, mask=codes < 0)


def _mask(values: pa.Array) -> BoolArray:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)
