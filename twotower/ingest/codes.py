"""A column that is read in batches: each distinct value once, and which of them a row has."""

import numpy as np
import pyarrow as pa

from twotower.common.arrays import Int32Array


class Codes:
    """Distinct values of a column in the order in which they come, and each row's code.

    Text of any length becomes four bytes a row.
    """

    def __init__(self) -> None:
        self._chunks: list[pa.DictionaryArray] = []

    def add(self, column: pa.Array) -> None:
        """Take the next rows, string or int64."""
        self._chunks.append(column.dictionary_encode())

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

        The position of null is -1. Values are strings if only some batches had integers.
        """
        if not self._chunks:
            return pa.array([], pa.string()), np.empty(0, dtype=np.int32)
        kind = self._kinds.pop() if len(self._kinds) == 1 else pa.string()
        chunks = [
            pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(kind))
            for chunk in self._chunks
        ]
        unified = pa.chunked_array(chunks).unify_dictionaries().chunks
        codes = [chunk.indices.fill_null(-1).to_numpy() for chunk in unified]
        return unified[0].dictionary, np.concatenate(codes)
