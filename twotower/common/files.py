"""Files with canonical bytes, written whole or not at all."""

import csv
import errno
import hashlib
import io
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

DIGITS = 8
"""Significant digits of every float in a tracked file, so that all readers see one value."""
TEMPORARY = ".tmp-"
"""Start of the name of what is not complete yet."""
SEAL = "sha256"
IMMOVABLE = {errno.EBUSY, errno.EXDEV}
"""Errors of renaming a mount (a volume of a container), or a folder of a container's image."""


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Binary handle whose content appears under `path` on success and nowhere on failure.

    The content is on disk (fsync) before it gets its name, and it never sees that name:
    formats that store their own file name (torch.save does) stay reproducible. A link is replaced:
    DVC's lead into its cache. A file that is mounted cannot be replaced, and is written to.

    Raises:
        OSError: of the disk, with the name `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_in(path.parent)
    try:
        with named(path, temporary):
            with temporary.open("xb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            temporary.chmod(0o644)
            try:
                temporary.replace(path)
            except OSError as error:
                if error.errno not in IMMOVABLE:
                    raise
                shutil.copyfile(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_in(folder: Path) -> Path:
    """A name in the folder that nothing has, for what is not complete yet."""
    return folder / f"{TEMPORARY}{secrets.token_hex(4)}"


@contextmanager
def named(path: Path, temporary: Path) -> Iterator[None]:
    """Let errors of the disk name `path`, not the temporary file or folder that will be it.

    Writing to a handle names nothing, though what is full may be any of several disks.
    """
    try:
        yield
    except OSError as error:
        where = Path(os.fsdecode(error.filename2 or error.filename or temporary))
        if where.is_relative_to(temporary):
            error.filename, error.filename2 = str(path / where.relative_to(temporary)), None
        raise


def followed(path: Path) -> Path:
    """The file that a link leads to, to be written there; the link itself if that is protected.

    DVC protects the files of its cache: they stay as they are, and the link is replaced.
    """
    target = Path(os.path.realpath(path))
    is_protected = target.is_file() and not target.stat().st_mode & 0o200
    return path if is_protected else target


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file and its permissions; on failure `target` stays as it was."""
    with atomic_write(target) as handle:
        handle.write(source.read_bytes())
    shutil.copymode(source, target)


def write_text(path: Path, text: str) -> None:
    """UTF-8 with line feeds, on every operating system."""
    with atomic_write(path) as handle:
        handle.write(text.encode())


def round_float(value: float) -> float:
    """The value to DIGITS significant digits; -0.0 becomes 0.0."""
    return float(f"{value:.{DIGITS}g}") + 0.0


def canonical(value: Any) -> Any:
    """The value with floats rounded, NaN and infinities as None; containers are copied."""
    if isinstance(value, float):
        return round_float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def json_text(value: Any, indent: int | None = 2) -> str:
    """JSON with sorted keys and canonical floats; the same value always gives the same text."""
    return json.dumps(
        canonical(value), sort_keys=True, indent=indent, ensure_ascii=False, allow_nan=False
    )


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value with a key `sha256`, of all its other keys as canonical JSON."""
    content = {key: item for key, item in value.items() if key != SEAL}
    return {**content, SEAL: sha256_text(json_text(content, indent=None))}


def check_seal(value: Mapping[str, Any]) -> None:
    """Compare what was read with the checksum in it; a file of an older version has none.

    Raises:
        ValueError: if they differ.
    """
    if SEAL in value and sealed(value)[SEAL] != value[SEAL]:
        msg = "its checksum is wrong"
        raise ValueError(msg)


def parse_json(text: str, **options: Any) -> Any:
    """What JSON says.

    Args:
        text: the JSON.
        options: of `json.loads`.

    Raises:
        ValueError: if it is not JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(text, **options)
    except RecursionError:
        msg = "brackets are nested too deeply"
        raise ValueError(msg) from None


def read_json(path: Path) -> Any:
    """The content of a JSON file; see `parse_json`."""
    return parse_json(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as canonical JSON, with a final line feed."""
    write_text(path, json_text(value) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under a header; None and absent keys are empty cells, floats are canonical."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: "" if value is None else value for key, value in canonical(row).items()}
        )
    write_text(path, buffer.getvalue())


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of the UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
