"""Files as MLflow's pages can show them."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twotower.common.folders import copy_files

SCRIPT = re.compile(r'<script[^>]*\ssrc="(?P<file>[^":/]+)"[^>]*></script>')
"""A script that lies beside its page."""


@contextmanager
def self_contained(folder: Path) -> Iterator[Path]:
    """A copy of a folder whose pages hold their scripts, without hidden files.

    MLflow shows a page by itself, where the address of a script beside it leads nowhere.

    Yields:
        The copy, which has the folder's name; it is deleted at the end.
    """
    with tempfile.TemporaryDirectory(prefix="twotower-") as name:
        copy = Path(name) / folder.name
        copy_files(folder, copy, ".*")
        scripts = {script for page in sorted(copy.rglob("*.html")) for script in _inline(page)}
        for script in scripts:
            script.unlink()
        yield copy


def _inline(page: Path) -> list[Path]:
    """Put the scripts beside a page into it; the files that are in it now."""
    text = page.read_text(encoding="utf-8")
    names = {match["file"] for match in SCRIPT.finditer(text)}
    files = [file for file in (page.with_name(name) for name in sorted(names)) if file.is_file()]
    code = {file.name: file.read_text(encoding="utf-8") for file in files}

    def script(match: re.Match[str]) -> str:
        name = match["file"]
        return f"<script>{code[name]}</script>" if name in code else match[0]

    page.write_text(SCRIPT.sub(script, text), encoding="utf-8")
    return files
