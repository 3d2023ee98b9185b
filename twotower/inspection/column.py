"""What can be said of a column from its values alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import Float64Array
from twotower.common.errors import DataError
from twotower.ingest.convert import OTHER_GROUPS, as_numbers, as_text
from twotower.ingest.ids import INTEGER as INTEGER_ID

INTEGER = r"^-?[0-9]+(\.0+)?$"
GAP = f"[{OTHER_GROUPS}]"
"""What groups thousands beside points and commas."""
GROUP = "[+-]?[1-9][0-9]{0,2}"
"""The first digits of a number with groups."""
POINT = r"^[+-]?([0-9]+\.([0-9]{1,2}|[0-9]{4,})|(0|[0-9]{4,})\.[0-9]{3})$"
COMMA = (
    r"^[+-]?([0-9]+,([0-9]{1,2}|[0-9]{4,})|(0|[0-9]{4,}),[0-9]{3})$|"
    rf"^{GROUP}((\.|{GAP})[0-9]{{3}})+,[0-9]+$|^{GROUP}(\.[0-9]{{3}}){{2,}}$"
)
GROUPED = rf"^{GROUP}((,|{GAP})[0-9]{{3}})+\.[0-9]+$|^{GROUP}(,[0-9]{{3}}){{2,}}$"
"""Numbers with a decimal point, with a decimal comma, and with commas between thousands."""
EITHER = rf"^{GROUP},[0-9]{{3}}$"
"""1,200 is one and a fifth in Spain, but twelve hundred in America."""
GAPS = rf"^{GROUP}({GAP}[0-9]{{3}})+$"
NO_COMMA, NO_POINT = r"^[+-]?[0-9.]+$", rf"^[+-]?[0-9]+$|^{GROUP}\.[0-9]{{3}}$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}$"
PHONE = r"^[+(]?[0-9]([ ()/-]{0,2}[0-9]){8,}$"
"""More digits than a date has, and something between them."""
ONLY_DIGITS = r"^[0-9]+$"
NUMERIC = 0.95
"""Share of the values that must be numbers."""
VECTORS_READ = 1000
"""Lists of text that are looked at to tell whether they are vectors."""
ADDRESS = r"^(https?://|www\.|/)\S+$"
"""A link, or a path to a picture."""


@dataclass(frozen=True, eq=False)
class Column:
    """Some rows of a column.

    Attributes:
        name: in the header, or its position from "1" on.
        values: [num_rows] as the file's reader gives them.
    """

    name: str
    values: pa.ChunkedArray

    @cached_property
    def is_list(self) -> bool:
        """Whether each cell is a list."""
        kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
        return any(is_kind(self.values.type) for is_kind in kinds)

    @cached_property
    def vector_width(self) -> int:
        """Numbers in each cell, if all that are filled are lists of as many, and no codes; else 0.

        Integers are codes, such as those of categories, unless the file says how many there are.
        """
        if not self.is_list:
            return 0
        lengths = pc.unique(pc.list_value_length(self.values)).drop_null().to_pylist()
        widths = [length for length in lengths if length]
        if len(widths) != 1 or widths[0] < 2:
            return 0
        is_fixed = pa.types.is_fixed_size_list(self.values.type)
        return int(widths[0]) if self._holds_numbers(integers=is_fixed) else 0

    def _holds_numbers(self, *, integers: bool) -> bool:
        """Whether the parts of lists are numbers, not all of them integers unless these count."""
        kind = self.values.type.value_type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            return integers or bool(pa.types.is_floating(kind))
        if not pa.types.is_string(kind):
            return False
        texts = pc.list_flatten(self.values.slice(0, VECTORS_READ)).combine_chunks().drop_null()
        numbers = as_numbers(texts, self.name)
        are_integers = pc.all(pc.match_substring_regex(texts, INTEGER_ID)).as_py()
        return bool(np.isfinite(numbers).all()) and (integers or not are_integers)

    @cached_property
    def is_time(self) -> bool:
        """Whether the file itself says that these are times."""
        return any(
            is_kind(self.values.type) for is_kind in (pa.types.is_timestamp, pa.types.is_date)
        )

    @cached_property
    def is_number(self) -> bool:
        """Whether the file itself says that these are numbers."""
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        return any(is_kind(self.values.type) for is_kind in kinds)

    @cached_property
    def is_nested(self) -> bool:
        """Whether a cell is a table of its own, bytes that are no text, or a span of time."""
        kinds = (
            pa.types.is_struct,
            pa.types.is_map,
            pa.types.is_fixed_size_binary,
            pa.types.is_duration,
        )
        return any(is_kind(self.values.type) for is_kind in kinds) or self._is_no_text

    @property
    def _is_no_text(self) -> bool:
        """Whether these are bytes, and some of them no UTF-8."""
        if not (pa.types.is_binary(self.values.type) or pa.types.is_large_binary(self.values.type)):
            return False
        try:
            as_text(self.values, self.name)
        except DataError:
            return True
        return False

    @cached_property
    def filled(self) -> pa.ChunkedArray:
        """The values that are not blank, as trimmed text; of lists, their parts, but of vectors."""
        if self.vector_width:
            return pa.chunked_array([pa.array([], pa.string())])
        values = pc.list_flatten(self.values) if self.is_list else self.values
        if pa.types.is_floating(values.type):
            values = values.filter(pc.invert(values.is_null(nan_is_null=True)))
        if self.is_nested or (self.is_list and pa.types.is_nested(values.type)):
            return pa.chunked_array([pa.array([], pa.string())])
        text = pc.utf8_trim_whitespace(as_text(values, self.name))
        return text.filter(pc.not_equal(text, ""))

    @cached_property
    def share_filled(self) -> float:
        """Share of the cells that are not blank; 0 without rows."""
        present = len(self.values) - self.values.null_count if self.is_list else len(self.filled)
        return present / max(len(self.values), 1)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How often each value occurs, the most frequent first."""
        pairs = [(row["values"], row["counts"]) for row in pc.value_counts(self.filled).to_pylist()]
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    @cached_property
    def distinct(self) -> pa.ChunkedArray:
        """Each value once."""
        return pa.array(list(self.counts), pa.string())

    @cached_property
    def share_distinct(self) -> float:
        """Distinct values, as a share of those that are not blank; 0 without any."""
        return len(self.counts) / max(len(self.filled), 1)

    def share(self, pattern: str) -> float:
        """Share of the values that match a regular expression; 0 without any."""
        if not len(self.filled):
            return 0.0
        return float(pc.mean(pc.match_substring_regex(self.filled, pattern)).as_py())

    @cached_property
    def share_integer(self) -> float:
        """Share of the values that are whole numbers."""
        return self.share(INTEGER)

    @cached_property
    def share_canonical(self) -> float:
        """Share of the values that the pipeline reads as integer ids: not 007, not +5."""
        return self.share(INTEGER_ID)

    @cached_property
    def first_other(self) -> str:
        """The first value that is no integer id; there must be one."""
        integers = pc.match_substring_regex(self.filled, INTEGER_ID)
        return str(self.filled.filter(pc.invert(integers))[0])

    @cached_property
    def decimal(self) -> str | None:
        """Mark of the decimals, "." or ",", where the values are numbers that tell it."""
        comma, gaps = self.share(COMMA), self.share(GAPS)
        point = self.share(POINT) + self.share(GROUPED) + gaps
        others = self.share(EITHER) + gaps
        if comma and comma + others + self.share(NO_POINT) > NUMERIC:
            return ","
        if point and self.share(GROUPED) + others + self.share(NO_COMMA) > NUMERIC:
            return "."
        return None

    @cached_property
    def text_decimal(self) -> str | None:
        """The same, if they are text: data.decimal says nothing of numbers that have a type."""
        return None if self.is_number else self.decimal

    @cached_property
    def is_mark_unsure(self) -> bool:
        """Whether the values are numbers whose commas may be decimal marks or group thousands."""
        either = self.share(EITHER)
        return self.decimal is None and either > 0 and either + self.share(INTEGER) > NUMERIC

    @cached_property
    def has_groups(self) -> bool:
        """Whether thousands are grouped, where decimals have a point."""
        patterns = (GROUPED, EITHER, GAPS)
        return self.decimal == "." and any(self.share(pattern) > 0 for pattern in patterns)

    @cached_property
    def own_numbers(self) -> Float64Array:
        """The values as numbers by their own mark, NaN for any that is none."""
        return self.numbers("," if self.is_mark_unsure else self.decimal)

    def numbers(self, decimal: str | None) -> Float64Array:
        """The values as numbers, NaN for any that is none."""
        if not len(self.filled) or self.is_list:
            return np.full(len(self.filled), np.nan)
        return as_numbers(self.filled, self.name, None if self.is_number else decimal)

    def share_numeric(self, decimal: str | None) -> float:
        """Share of the values that are numbers; 0 without any."""
        numbers: Any = np.isfinite(self.numbers(decimal))
        return float(numbers.mean()) if len(numbers) else 0.0

    @cached_property
    def numbers_rows(self) -> bool:
        """Whether the values are 0, 1, 2, … or 1, 2, 3, …, as row by row."""
        if self.share_canonical < 1 or len(self.filled) < len(self.values):
            return False
        steps = np.diff(self.numbers(None))
        return bool((steps == 1).all()) and str(self.filled[0]) in ("0", "1")

    def first_text(self, decimal: str | None) -> str:
        """The first value that is no number; there must be one."""
        texts = self.filled.filter(pa.array(np.isnan(self.numbers(decimal))))
        return str(texts[0])

    @cached_property
    def is_personal(self) -> bool:
        """Whether values look like e-mail addresses or telephone numbers."""
        phones = self.share(PHONE) - self.share(ONLY_DIGITS)
        return max(phones, self.share(EMAIL)) > 0.5
