"""model_meta.json: read, and checked before anything of it is believed."""

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from twotower.artifacts.content import open_regular
from twotower.common.bounded import shortened, shown
from twotower.common.errors import ArtifactError
from twotower.common.files import json_text, parse_json, sha256_text

META = "model_meta.json"
FORMAT_VERSION = 2
"""Raise it when the layout of the folder or the meaning of a file changes."""
DIGEST = "digest"
"""Key with the SHA-256 of the others; older folders do not have it."""
RENEW = "dvc repro -f -s refit writes it anew"
REQUIRED = (
    "user_vecs.npy",
    "item_vecs.npy",
    "seen_offsets.npy",
    "seen_items.npy",
    "item_counts.npy",
    "best_model.pth",
    "vocabulary/users.parquet",
    "vocabulary/items.parquet",
    "vocabulary/features.json",
)
LARGEST = 1 << 24
"""Bytes of the file, at most."""
NAME = re.compile(r"(vocabulary/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def digest_of(meta: Mapping[str, Any]) -> str:
    """SHA-256 of all keys but this one, as they are written."""
    return sha256_text(json_text({key: meta[key] for key in meta if key != DIGEST}))


def read_meta(folder: Path) -> dict[str, Any]:
    """The content of model_meta.json.

    Raises:
        ArtifactError: if it is of another format version.
        OSError: if it cannot be read.
        ValueError: if it is damaged, or a value is not what it may be.
    """
    meta = parse_json(_read(folder).decode(), parse_constant=_no_constant, parse_float=_float)
    if not isinstance(meta, dict):
        msg = f"{META} holds no object"
        raise ValueError(msg)
    _check_version(folder, meta.get("format_version"))
    if DIGEST in meta and meta[DIGEST] != digest_of(meta):
        msg = f"{META} does not match its own digest"
        raise ValueError(msg)
    _check_files(meta.get("files"))
    for path, (is_valid, rule) in RULES.items():
        _check(meta, path, is_valid, rule)
    return meta


def version_of(folder: Path) -> str:
    """SHA-256 of model_meta.json, which holds those of all other files.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no regular file, or too large.
    """
    return hashlib.sha256(_read(folder)).hexdigest()


def _read(folder: Path) -> bytes:
    with open_regular(folder / META) as handle:
        text = handle.read(LARGEST + 1)
    if len(text) > LARGEST:
        msg = f"{META} has more than {LARGEST:,} bytes"
        raise ValueError(msg)
    return text


def _check_version(folder: Path, version: Any) -> None:
    if version == FORMAT_VERSION:
        return
    if not _is_count(version):
        msg = f"{META}: format_version must be {FORMAT_VERSION}, got {shown(version)}"
        raise ValueError(msg)
    remedy = "update this package" if version > FORMAT_VERSION else RENEW
    msg = f"{folder}: format version {version}, this package reads {FORMAT_VERSION}; {remedy}"
    raise ArtifactError(msg)


def _check_files(files: Any) -> None:
    if not isinstance(files, dict):
        msg = f"{META}: files must be an object, got {shown(files)}"
        raise ValueError(msg)
    for name, digest in files.items():
        if not NAME.fullmatch(name):
            msg = f"{META}: files names {shown(name)}, which is not in a model folder"
            raise ValueError(msg)
        if not (isinstance(digest, str) and SHA256.fullmatch(digest)):
            msg = f"{META}: files.{name} must be a SHA-256, got {shown(digest)}"
            raise ValueError(msg)
    for name in REQUIRED:
        if name not in files:
            msg = f"{META}: files lacks {name}"
            raise ValueError(msg)


def _check(meta: Any, path: str, is_valid: Callable[[Any], bool], rule: str) -> None:
    value = meta
    for key in path.split("."):
        if key not in value and path != "model":
            return  # older folders have fewer keys
        value = value.get(key)
    if not is_valid(value):
        msg = f"{META}: {path} must be {rule}, got {shown(value)}"
        raise ValueError(msg)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 1


def _is_exponent(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 2


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_model(value: Any) -> bool:
    return isinstance(value, dict) and value.get("similarity") in {"cosine", "dot"}


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


COUNT = (_is_count, "a count")
OBJECT = (_is_object, "an object")
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_is_model, "an object with similarity cosine or dot"),
    "model.user_tower": (lambda value: isinstance(value, str), "text"),
    "model.popularity_weight": (lambda value: _is_number(value) and value >= 0, "a number >= 0"),
    "history": OBJECT,
    "history.user_exponent": (_is_exponent, "a number from 0 to 2"),
    "history.history_decay": (_is_share, "a number from 0, less than 1"),
    "num_users": COUNT,
    "num_items": COUNT,
    "num_items_cold": COUNT,
    "num_items_added": COUNT,
    "best_params": OBJECT,
    "train": OBJECT,
    "trained_on": (_is_names, "a list of names"),
    "metrics": OBJECT,
}
"""What the values that are read must be, by their path."""


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        msg = f"{META}: {shortened(text)} is too large"
        raise ValueError(msg)
    return value


def _no_constant(name: str) -> NoReturn:
    msg = f"{META}: {name} is no value"
    raise ValueError(msg)
