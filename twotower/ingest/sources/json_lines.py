"""JSON lines: one object per line."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.raw_text import RawText, blank
from twotower.ingest.sources.source import Source

BATCH_ROWS = 1 << 16


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values."""
    row = dict(pairs)
    if len(row) < len(pairs):
        msg = "a key twice"
        raise ValueError(msg)
    return row


# Numbers stay as they are written: an id may have twenty digits.
DECODER = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=lambda _: None, object_pairs_hook=_distinct
)


def open_json_lines(path: Path, config: DataConfig) -> Source:
    """Open JSON lines."""
    return JsonLines(path, config)


class JsonLines(Source):
    """One JSON object per line, each with some of the columns as its keys.

    Numbers become text as they are written, as in CSV, so that 7 and "7" are one id. A list stays a
    list where the column has lists. NaN and Infinity, which JSON lacks, are null.
    """

    optional_columns = True

    def __init__(self, path: Path, config: DataConfig) -> None:
        """Collect the keys of all objects, as any of them may be the first with an optional one.

        Raises:
            DataError: if the file is damaged, blank or no JSON lines.
        """
        self.name = str(path)
        self._text = RawText(path, config.encoding)
        keys: dict[str, None] = {}
        self._lists: set[str] = set()
        for _, row in self._rows():
            keys |= dict.fromkeys(row)
            self._lists |= {key for key, value in row.items() if isinstance(value, list)}
        if not keys:
            raise blank(self.name)
        super().__init__(self.name, list(keys))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; a key that an object lacks is null."""
        rows = self._rows()
        while chunk := list(islice(rows, BATCH_ROWS)):
            yield pa.record_batch({name: self._column(name, chunk) for name in columns})

    def places(self, rows: Int64Array) -> list[str]:
        """See Source.places."""
        targets = set(rows.tolist())
        numbered = enumerate(line for line, _ in self._rows())
        return [f"line {line}" for row, line in numbered if row in targets]

    def _column(self, name: str, rows: Sequence[tuple[int, dict[str, Any]]]) -> pa.Array:
        values = [row.get(name) for _, row in rows]
        for (line, _), value in zip(rows, values, strict=True):
            if isinstance(value, dict):
                msg = (
                    f"{self.name}: line {line}: column {name!r} must be text, a number or a list, "
                    f"not an object; take a value out of it, e.g. with: jq -c '.{name} |= .[]?'"
                )
                raise DataError(msg)
        if name not in self._lists:
            return pa.array([_text(value) for value in values], pa.string())
        lists = [value if isinstance(value, list | None) else [value] for value in values]
        texts = [value and [_text(part) for part in value] for value in lists]
        return pa.array(texts, pa.list_(pa.string()))

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(line, object) of every line that is not blank."""
        with self._text.open() as text:
            for line, content in enumerate(text, start=1):
                if not content.strip():
                    continue
                try:
                    row = DECODER.decode(content.decode())
                    if b"\\u" in content:
                        json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair
                except (ValueError, RecursionError) as error:
                    raise self._damaged(line, str(error)) from None
                if not isinstance(row, dict):
                    raise self._damaged(line, "not an object")
                yield line, row

    def _damaged(self, line: int, reason: str) -> DataError:
        return DataError(
            f"{self.name}: line {line}: must be a JSON object of its own ({reason}); "
            "an array of objects can be converted with: jq -c '.[]'"
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)
