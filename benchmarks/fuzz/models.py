"""Small models whose folders are damaged, and what they answer as long as they are whole."""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower import Recommender
from twotower.artifacts import META, write_artifacts
from twotower.artifacts.meta import DIGEST, digest_of
from twotower.common.files import sha256_file
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.categories import Categorical, MultiValued
from twotower.data.features import Features, Numeric
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary

USERS, ITEMS = 6, 9
MODELS: Mapping[str, Mapping[str, Any]] = {
    "sequence": {"user_tower": "sequence", "sequence_length": 4},
    "history": {"user_tower": "history", "init": "spectral", "history_decay": 0.3},
}


@cache
def base(name: str, index: str | None = None) -> Path:
    """The folder of a model; kept until the program ends."""
    from twotower.training.fit import fit

    frame = pd.DataFrame(
        [(f"u{u}", i, u + i) for u in range(USERS) for i in range(ITEMS) if (u * i + u + i) % 3],
        columns=["user_id", "item_id", "timestamp"],
    )
    users = Entities(Vocabulary(pd.Index([f"u{user}" for user in range(USERS)])), Features())
    catalogue = Catalogue(users, Entities(Vocabulary(pd.Index(range(ITEMS))), _features()))
    rows = catalogue.encode(frame.assign(weight=np.float32(1)))
    config = ModelConfig.model_validate({"dim": 4, **MODELS[name]})
    model = fit(catalogue, rows, config, TrainConfig(epochs=1), seed=1)
    meta = {"model": config.model_dump(mode="json"), "num_users": USERS, "num_items": ITEMS}
    folder = Path(_kept().name) / f"{name}-{index}"
    write_artifacts(folder, model, catalogue, rows, meta, index=index)
    return folder


@cache
def _kept() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="twotower-")


def _features() -> Features:
    everyone, numbers = np.ones(ITEMS, np.bool_), range(ITEMS)
    texts = pa.chunked_array([["red" if i % 2 else "blue" for i in numbers]])
    lists = pa.chunked_array([[["a", "b"][: i % 3] for i in numbers]], pa.list_(pa.string()))
    floats = pa.chunked_array([[float(i) for i in numbers]])
    return Features(
        {
            "colour": Categorical.encode(texts, everyone, "", {}),
            "price": Numeric.encode(floats, everyone, "", {}),
            "tags": MultiValued.encode(lists, everyone, "", {"separator": "|"}),
        }
    )


@cache
def files(folder: Path) -> Mapping[str, bytes]:
    """What the files of a folder hold, by their names."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def place(whole: Path, name: str, content: bytes | None, target: Path) -> Path:
    """A copy of a folder with one file of another content; None: without that file."""
    for other, data in files(whole).items():
        path = target / "m" / other
        path.parent.mkdir(parents=True, exist_ok=True)
        if other == name and content is not None:
            path.write_bytes(content)
        elif other != name:
            path.write_bytes(data)
    return target / "m"


def vouch(folder: Path, changes: Mapping[str, Any] | None = None) -> None:
    """Let model_meta.json say that all is as it should be, as an attacker would."""
    meta = json.loads((folder / META).read_text(encoding="utf-8"))
    meta |= changes or {}
    if isinstance(meta.get("files"), dict):
        for name in meta["files"]:
            with suppress(OSError, ValueError):
                if os.path.isfile(folder / name):  # noqa: PTH113 - not of a name that no system has
                    meta["files"][name] = sha256_file(folder / name)
    with suppress(ValueError, OverflowError, RecursionError):
        meta[DIGEST] = digest_of(meta)
    (folder / META).write_text(json.dumps(meta), encoding="utf-8")


def answers(folder: Path, *, mmap: bool, approximate: bool = False) -> list[Any]:
    """Everything that a model says: by user, by history, similar items, with features."""
    model = Recommender.load(folder, mmap=mmap, approximate=approximate)
    users = [f"u{user}" for user in range(USERS)]
    told = [
        model.recommend(users, 3),
        model.recommend(users, 3, exclude_seen=False, max_per={"colour": 1}),
        model.recommend_from_history([1, 2, 5], 3),
        model.similar_items([0, 4], 3),
    ]
    return [[one.item_ids, one.scores.tolist(), list(one.source)] for one in told]


@cache
def reference(folder: Path, *, approximate: bool = False) -> str:
    """What it says while it is whole, as text, in which NaN equals NaN."""
    return str(answers(folder, mmap=False, approximate=approximate))
