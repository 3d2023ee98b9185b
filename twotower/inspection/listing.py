"""Which files of a folder may be tables."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from twotower.common.errors import DataError
from twotower.ingest.open_file import part_files
from twotower.ingest.snapshot import RECORD

NOT_DATA = frozenset(
    {
        ".md",
        ".py",
        ".dvc",
        ".html",
        ".pdf",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".yaml",
        ".yml",
        ".log",
    }
)
EXTENSIONS = re.compile(r"(\.(gz|csv|tsv|txt|dat|parquet|jsonl|ndjson))+$", re.IGNORECASE)
DIGITS = re.compile(r"[0-9]+([-_][0-9]+)*")


def tables_of(root: Path) -> Iterator[str]:
    """Files, folders of part files and patterns of a folder that may be tables, by name.

    Files whose names differ only in digits (`ventas_2024.csv`, `ventas_2025.csv`) are one table.

    Raises:
        DataError: if there is no such folder.
    """
    if not root.is_dir():
        msg = f"{root}: no such folder"
        raise DataError(msg)
    groups: dict[str, list[str]] = {}
    for path in sorted(root.iterdir()):
        if path.name.startswith((".", "_")) or path.name == RECORD:
            continue
        if path.suffix.lower() in NOT_DATA:
            continue
        if path.is_dir():
            if _are_parts(part_files(path)):
                yield path.name
        elif path.stat().st_size:
            groups.setdefault(DIGITS.sub("*", path.name), []).append(path.name)
    for pattern, names in groups.items():
        matched = sorted(path.name for path in root.glob(pattern))
        if len(names) > 1 and names == matched:
            yield pattern
        else:
            yield from names


def _are_parts(files: Sequence[Path]) -> bool:
    """Whether the files of a folder are one table: they differ only in digits and checksums.

    Their extensions may differ, as reading then tells.
    """
    return len({_without_number(EXTENSIONS.sub("", path.name)) for path in files}) == 1


def _without_number(name: str) -> str:
    """Names such as part-00000-1f3c….snappy.parquet without what tells parts apart."""
    return re.sub(r"[-_.]?[0-9][-_.0-9a-f]*", "*", name)
