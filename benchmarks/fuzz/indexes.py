"""Index files: damaged at any place, with a hash that fits; usearch's native code reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.artifacts import overwritten
from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.models import answers, base, files, place, reference, vouch
from benchmarks.promises import insist, insist_bounded
from twotower.common.errors import TwoTowerError
from twotower.config.indexes import INDEXES
from twotower.retrieval.approximate import file_of_index

TITLE = "indexes"


def index_of(model: Mapping[str, Any]) -> str:
    """Which of its files is the index."""
    return str(file_of_index(model))


@dataclass(frozen=True)
class Case:
    """A folder with another index.

    Attributes:
        dtype: of its vectors.
        content: of the file.
        vouched: whether model_meta.json has the hash of it.
        mmap: whether the files are mapped.
    """

    dtype: str
    content: bytes
    vouched: bool
    mmap: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A damaged index, most often with its hash."""
    dtype = draw(st.sampled_from([kind.dtype for kind in INDEXES.values()]))
    reference(base("history", dtype), approximate=True)  # made here, where no clock runs
    model = files(base("history", dtype))
    whole = model[index_of(model)]
    content = draw(overwritten(whole) | overwritten(whole) | damaged(whole))
    return Case(dtype, content, draw(st.integers(0, 4)) > 0, draw(st.booleans()))


def check(case: Case, folder: Path) -> str:
    """An index is refused, or searched; all that it finds are items, with their exact scores."""
    whole = base("history", case.dtype)
    wanted = reference(whole, approximate=True)
    model = place(whole, index_of(files(whole)), case.content, folder)
    if case.vouched:
        vouch(model)
    try:
        told = str(answers(model, mmap=case.mmap, approximate=True))
    except TwoTowerError as error:
        insist_bounded(error)
        return "refused"
    if told == wanted:
        return "as before"
    insist(case.vouched, f"answers {told}, not {wanted}")
    return "vouched for, and answers"
