"""Opens raw data: from the path of a file to a Source."""

from pathlib import Path

from twotower.common.errors import DataError
from twotower.config.data import FORMATS, DataConfig, FileFormat
from twotower.ingest.sources.source import Source


def open_source(path: Path, config: DataConfig, format_name: str | None) -> Source:
    """Open one raw file and read its header.

    Args:
        path: of the file.
        config: gives the separator and the encoding of text files.
        format_name: a row of FORMATS; None: by the file's extension.

    Raises:
        DataError: if the file is missing, empty or damaged, or its format is unknown.
    """
    file_format = FORMATS[format_name] if format_name else _format_of(path, config)
    source: Source = file_format.open(path, config)
    return source


def _format_of(path: Path, config: DataConfig) -> FileFormat:
    extension = Path(path.name.lower().removesuffix(".gz")).suffix
    for file_format in FORMATS.values():
        if extension in file_format.extensions:
            return file_format
    if config.separator is not None:
        return FORMATS["csv"]
    msg = (
        f"{path}: cannot tell the format from the extension {extension!r}; set `format` beside "
        "the file's name in params.yaml, or data.separator"
    )
    raise DataError(msg)
