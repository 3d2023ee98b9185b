"""What `refit.index` may name."""

from dataclasses import dataclass

from twotower.common.choices import Table


@dataclass(frozen=True)
class IndexKind:
    """An approximate index of the item vectors.

    Attributes:
        name: in `refit.index`.
        summary: one line for the docs.
        dtype: of the vectors in the index.
    """

    name: str
    summary: str
    dtype: str


INDEXES = Table(
    "refit.index",
    IndexKind("usearch", "a graph; vectors as they are, float32", "f32"),
    IndexKind("usearch_f16", "a graph; half the memory, float16", "f16"),
    IndexKind("usearch_i8", "a graph; a quarter of the memory, 255 steps for all vectors", "i8"),
    IndexKind(
        "int8", "flat; a quarter of the memory and 4 bytes, 255 steps for each vector", "int8"
    ),
    IndexKind(
        "binary", "flat; a sixteenth of the memory and 4 bytes, two signs for each number", "binary"
    ),
)
