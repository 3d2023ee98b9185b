"""Side features that are a text per entity."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.errors import ConfigError, DataError
from twotower.common.paths import repository_root, texts_folder
from twotower.data.dense import Dense, rows_of_lists
from twotower.data.feature import Cells
from twotower.data.text_encoders import (
    MOST_FITTED,
    TEXT_ENCODERS,
    Terms,
    model_digest,
    principal_axes,
    project,
)


@dataclass(frozen=True)
class Text(Dense):
    """The vectors of texts, of length 1; zeros where a text is missing, or none of it is known.

    Attributes:
        encoder: as declared, with the name of its model.
        model: digest of the model's folder; "" where there is none.
        axes: [num_terms, width] float32 what each term adds to a vector.
        buckets: [num_terms] int64 the terms, see `Terms`; empty for a sentence encoder, whose
            terms are the elements of its vectors.
        idf: [num_terms] float32 likewise.
    """

    name = "text"
    summary = "one text per entity, as a vector of what it consists of or, by a model, means"
    cells = Cells.TEXT
    keys = ("encoder", "dims")

    encoder: str
    model: str
    axes: Float32Array
    buckets: Int64Array
    idf: Float32Array

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,
        where: str,
        options: Mapping[str, Any],
    ) -> Self:
        """Learn terms and axes from the training split's texts; see `Feature.encode`.

        Raises:
            ConfigError: if the model of a sentence encoder cannot be loaded.
        """
        encoder, _, model = options["encoder"].partition(":")
        root = repository_root()
        kept = texts_folder(root) if (root / "dvc.yaml").is_file() else None  # None: a notebook's
        texts, positions = _distinct(values)
        sample = positions[in_train & (positions >= 0)]
        if len(sample) > MOST_FITTED:
            sample = sample[np.linspace(0, len(sample) - 1, MOST_FITTED).astype(np.int64)]
        terms = TEXT_ENCODERS[encoder].fit([texts[position] for position in sample])
        with _config_errors(where):
            rows = TEXT_ENCODERS[encoder].rows(texts, terms, model, kept)
        axes = principal_axes(rows[sample], options["dims"])
        vectors = _of_positions(project(rows, axes), positions)
        return cls(vectors, options["encoder"], model_digest(model), axes, terms.buckets, terms.idf)

    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:
        """Further texts on the same axes, and how many of them have nothing known.

        Raises:
            ConfigError: if the model of a sentence encoder cannot be loaded.
            DataError: if its folder holds another model by now.
        """
        encoder, _, model = self.encoder.partition(":")
        if model_digest(model) != self.model:
            msg = f"{where}: {model} is not the model that encoded the other texts; put that back"
            raise DataError(msg)
        texts, positions = _distinct(values)
        with _config_errors(where):
            rows = TEXT_ENCODERS[encoder].rows(texts, Terms(self.buckets, self.idf), model, None)
        vectors = _of_positions(project(rows, self.axes), positions)
        unknown = (positions >= 0) & ~vectors.any(axis=1)
        return replace(self, values=vectors), int(np.count_nonzero(unknown))

    def schema(self) -> dict[str, Any]:
        """The encoder, its model and the number of dimensions."""
        return {"encoder": self.encoder, "model": self.model, "width": self.width}

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Axes, and the terms of n-grams."""
        return {"axes": self.axes, "buckets": self.buckets, "idf": self.idf}

    @classmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
    ) -> Self:
        """See `Feature.from_arrow`."""
        return cls(rows_of_lists(column), schema["encoder"], schema["model"], **arrays)


@contextmanager
def _config_errors(where: str) -> Iterator[None]:
    """Say which feature's encoder does not work."""
    try:
        yield
    except ConfigError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error


def _distinct(values: pa.ChunkedArray) -> tuple[list[str], Int64Array]:
    """The different texts, in order of their first row, and [num_rows] the text of each, or -1."""
    texts = pc.unique(values).drop_null()
    positions = pc.fill_null(pc.index_in(values, value_set=texts, skip_nulls=True), -1)
    return texts.to_pylist(), np.asarray(positions.to_numpy(), dtype=np.int64)


def _of_positions(vectors: Float32Array, positions: Int64Array) -> Float32Array:
    """[num_rows, width] float32: the vector at each position, zeros at -1."""
    spread = np.zeros((len(positions), vectors.shape[1]), dtype=np.float32)
    spread[positions >= 0] = vectors[positions[positions >= 0]]
    return spread
