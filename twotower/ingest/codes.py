"""A column that is read in batches: each distinct value once, and which of them a row has."""

import numpy as np
import pyarrow as pa

from twotower.common.arrays import Int32Array

NULL = np.array([-1], dtype=np.int32)


class Codes:
    """Distinct values of a column in the order in which they come, and each row's code.

    Text of any length becomes four bytes a row.
    """

    def __init__(self) -> None:
        self._chunks: list[pa.DictionaryArray] = []

    def add(self, column: pa.Array) -> None:
        """Take the next rows, string or int64, or a dictionary of them."""
        is_encoded = pa.types.is_dictionary(column.type)
        self._chunks.append(column if is_encoded else column.dictionary_encode())

    @property
    def mixed(self) -> bool:
        """Whether some batches had strings and some integers."""
        return len(self._kinds) > 1

    @property
    def _kinds(self) -> set[pa.DataType]:
        """Types of the batches with any value: parts without one may have another type."""
        return {chunk.dictionary.type for chunk in self._chunks if len(chunk.dictionary)}

    def finish(self) -> tuple[pa.Array, Int32Array]:
        """[num_values] distinct values, without null, and [num_rows] the position of each row's.

        The position of null is -1. Values are strings if only some batches had integers. It may be
        asked for once: batches are freed one by one.
        """
        kind = self._kinds.pop() if len(self._kinds) == 1 else pa.string()
        dictionaries = [chunk.dictionary.cast(kind) for chunk in self._chunks]
        encoded = pa.chunked_array(dictionaries, kind).dictionary_encode().chunks
        values = encoded[0].dictionary if encoded else pa.array([], kind)
        places = np.concatenate([NULL, *(_positions(chunk) for chunk in encoded)])[1:]
        del dictionaries, encoded
        codes = np.empty(sum(map(len, self._chunks)), dtype=np.int32)
        start = first = 0
        self._chunks.reverse()
        while self._chunks:
            chunk = self._chunks.pop()
            stop, last = start + len(chunk), first + len(chunk.dictionary)
            codes[start:stop] = np.concatenate([places[first:last], NULL])[_positions(chunk)]
            start, first = stop, last
        return values, codes


def _positions(chunk: pa.DictionaryArray) -> Int32Array:
    """[num_rows] of each row's value in the dictionary, -1 for null."""
    positions: Int32Array = chunk.indices.cast(pa.int32()).fill_null(-1).to_numpy()
    return positions
