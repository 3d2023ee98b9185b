"""Opens raw data: from the path of a file, a folder of parts or a pattern to a Source."""

import re
from collections.abc import Sequence
from pathlib import Path

from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.config.raw_files import FORMATS, FileFormat
from twotower.ingest.sources.parts import Partition, Parts, partition_columns
from twotower.ingest.sources.source import Source


def open_source(path: Path, config: DataConfig, format_name: str | None) -> Source:
    """Open one raw file, or all part files of a folder or pattern, and read the header.

    Args:
        path: of the file; of a folder; or a pattern such as `part-*.csv`.
        config: says how text files are written.
        format_name: a row of FORMATS; None: by each file's extension.

    Raises:
        DataError: if a file is missing, empty or damaged, its format is unknown, or parts differ.
    """
    files = part_files(path)
    if files == [path]:
        return _open(path, config, format_name)
    if not files:
        msg = f"{path}: no files (names that begin with _ or . do not count)"
        raise DataError(msg)
    parts = []
    for file in files:
        folders = file.relative_to(_base(path)).parent.parts
        part = _open(file, config, format_name)
        values = partition_columns(folders)
        parts.append(Partition(part, values) if values else part)
    return Parts(str(path), parts)


def part_files(path: Path) -> Sequence[Path]:
    """The files of a path: itself, those below a folder, or matches.

    In the order of their names, 2 before 10, as it may be the order of the events.
    Neither empty files count nor names that begin with _ or .: Spark writes `_SUCCESS`, checksums
    and parts without rows.
    """
    if path.is_file():
        return [path]
    base = _base(path)
    pattern = "**/*" if path == base else path.relative_to(base).as_posix()
    files = (
        file
        for file in base.glob(pattern)
        if file.is_file()
        and file.stat().st_size
        and not any(part.startswith(("_", ".")) for part in file.relative_to(base).parts)
    )
    return sorted(files, key=_natural)


def _natural(path: Path) -> list[tuple[str, int]]:
    """Orders names by their text and the numbers in it."""
    pairs = re.findall(r"(\D*)(\d*)", path.as_posix())
    return [(text, int(digits or -1)) for text, digits in pairs]


def _base(path: Path) -> Path:
    """The folder that parts are in: the path itself, or the one where a pattern begins."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _open(path: Path, config: DataConfig, format_name: str | None) -> Source:
    file_format = FORMATS[format_name] if format_name else format_of(path)
    if file_format is None and config.separator is not None:
        file_format = FORMATS["csv"]
    if file_format is None:
        msg = (
            f"{path}: cannot tell the format from the extension {_extension(path)!r}; set `format` "
            "beside the file's name in params.yaml, or data.separator"
        )
        raise DataError(msg)
    source: Source = file_format.open(path, config)
    return source


def format_of(path: Path) -> FileFormat | None:
    """The format that a file's extension says; None: that of none."""
    extension = _extension(path)
    return next((row for row in FORMATS.values() if extension in row.extensions), None)


def _extension(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix
