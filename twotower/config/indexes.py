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
    IndexKind("usearch", "vectors as they are, float32", "f32"),
    IndexKind("usearch_f16", "vectors in half the memory, float16", "f16"),
    IndexKind("usearch_i8", "vectors in a quarter of the memory, rounded to 255 steps", "i8"),
)
