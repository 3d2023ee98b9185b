"""Model folders: a file damaged, hostile, missing, a link or a pipe; with and without its hash."""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from benchmarks.fuzz.damage import damaged, odd_texts
from benchmarks.fuzz.hostile_files import hostile
from benchmarks.fuzz.models import MODELS, answers, base, files, place, reference, vouch
from benchmarks.promises import insist, insist_bounded
from twotower.artifacts import META
from twotower.artifacts.meta import DIGEST
from twotower.common.errors import TwoTowerError

TITLE = "model folders"
DEVICES = ("/dev/zero", "/etc/passwd", "/proc/self/mem", ".", "pipe")
"""What a link leads to; the last one is no link."""


@dataclass(frozen=True)
class Case:
    """A folder with one file that is another.

    Attributes:
        model: whose folder.
        file: that is changed.
        content: of it; a text: what a link of its name leads to; None: it is missing.
        meta: keys of model_meta.json that are changed.
        vouched: whether the hashes in model_meta.json are those of the files.
        mmap: whether the files are mapped.
    """

    model: str
    file: str
    content: bytes | str | None
    meta: str = "{}"
    vouched: bool = False
    mmap: bool = True


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A damaged or hostile file, or odd values in model_meta.json."""
    model = draw(st.sampled_from(sorted(MODELS)))
    reference(base(model))  # made here, where no clock runs
    whole = files(base(model))
    name = draw(st.sampled_from(sorted(whole)))
    any_damage: SearchStrategy[Any] = damaged(whole[name]) | overwritten(whole[name])
    odd = [*hostile(name), *(DEVICES if os.name == "posix" else ()), None]
    content = draw(any_damage | any_damage | st.sampled_from(odd))
    meta = draw(_changes(model) if name == META and draw(st.booleans()) else st.just({}))
    if meta:
        content = whole[name]
    vouched = bool(meta) or draw(st.booleans())
    return Case(model, name, content, json.dumps(meta), vouched, draw(st.booleans()))


@st.composite
def overwritten(draw: st.DrawFn, whole: bytes) -> bytes:
    """Some numbers of the file are others; its length stays."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        new = draw(
            st.sampled_from((b"\xff" * 4, b"\0\0\xc0\x7f", b"\0" * 4)) | st.binary(max_size=8)
        )
        place_of = draw(st.integers(0, max(len(data) - len(new), 0)))
        data[place_of : place_of + len(new)] = new
    return bytes(data[: len(whole)])


@st.composite
def _changes(draw: st.DrawFn, model: str) -> dict[str, Any]:
    """A value of model_meta.json, and what stands in its place."""
    meta = json.loads(files(base(model))[META])
    number = st.integers(-2, 9) | st.sampled_from((10**9, 10**400, -1, 1e300, 0.5))
    odd = (
        st.none() | st.booleans() | number | odd_texts() | st.sampled_from(([], {}, [5], {"a": 1}))
    )
    key = draw(st.sampled_from(sorted(meta)))
    if isinstance(meta[key], dict) and draw(st.booleans()):
        names = st.sampled_from(sorted(meta[key])) | st.sampled_from(
            ("../../etc/passwd", "/x", "a")
        )
        return {key: meta[key] | {draw(names): draw(odd)}}
    return {key: draw(odd)}


def check(case: Case, folder: Path) -> str:
    """A folder is refused in one line, or answers as before; with new hashes it may answer else."""
    whole = base(case.model)
    wanted = reference(whole)
    content = case.content if isinstance(case.content, bytes) else None
    model = place(whole, case.file, content, folder)
    if isinstance(case.content, str):
        (model / case.file).unlink(missing_ok=True)
        _lead(model / case.file, case.content)
    if case.vouched and (case.file != META or json.loads(case.meta)):
        vouch(model, json.loads(case.meta))
    try:
        told = str(answers(model, mmap=case.mmap))
    except TwoTowerError as error:
        insist_bounded(error)
        insist(len(str(error).splitlines()) == 1, f"more than a line: {error}")
        insist("root:" not in str(error), f"tells what another file holds: {error}")
        return "refused"
    if told == wanted:
        return "as before"
    insist(case.vouched or _lost_its_digest(model), f"answers {told}, not {wanted}")
    return "vouched for, and answers"


def _lead(path: Path, target: str) -> None:
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)


@cache
def _digests() -> set[str]:
    return {json.loads(files(base(name))[META])[DIGEST] for name in MODELS}


def _lost_its_digest(folder: Path) -> bool:
    """Whether model_meta.json is like those of older folders, which have no digest of their own."""
    return json.loads((folder / META).read_bytes()).get(DIGEST) not in _digests()
