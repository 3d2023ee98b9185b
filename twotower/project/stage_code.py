"""What dvc.yaml says of the code of each stage: files in the repository, a digest in a project."""

import re
from collections.abc import Iterator
from pathlib import Path

from twotower.common.files import sha256_text
from twotower.common.sources import PACKAGE, source_text

RECORD = ".twotower.json"
"""What DVC compares the digests with."""
DIGITS = 16
ABOUT = "# The stages of twotower; `twotower init --upgrade` renews this file unless you edit it.\n"
STAGE = re.compile(r"  (\w+):\n")
CODE = re.compile(r"      - (twotower/\S+)\n")
ONE_LINE = re.compile(r"    params: \[(.*)\]\n")
MANY_LINES = re.compile(r"    params:( *#.*)?\n")


def project_dvc_yaml(text: str) -> str:
    """dvc.yaml for a project, whose stages depend on digests instead of files of the package.

    Args:
        text: of the repository's dvc.yaml.
    """
    return ABOUT + "".join(_project_lines(text))


def _project_lines(text: str) -> Iterator[str]:
    for stage, line in _lines(text):
        digest = f"{RECORD}: [stages.{stage}]"
        if one := ONE_LINE.fullmatch(line):
            yield f"    params: [{one[1]}, {{{digest}}}]\n"
        elif MANY_LINES.fullmatch(line):
            yield from (line, f"      - {digest}\n")
        elif not CODE.fullmatch(line):
            yield line


def code_digests() -> dict[str, str]:
    """For each stage, a digest of the modules of the installed package that it runs."""
    files: dict[str, set[Path]] = {}
    for stage, line in _lines(source_text("dvc.yaml")):
        if code := CODE.fullmatch(line):
            files.setdefault(stage, set()).update(_modules(PACKAGE.parent / code[1]))
    return {stage: _digest(sorted(paths)) for stage, paths in sorted(files.items())}


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line, and the stage that it is of."""
    stage = ""
    for line in text.splitlines(keepends=True):
        if begun := STAGE.fullmatch(line):
            stage = begun[1]
        yield stage, line


def _modules(path: Path) -> list[Path]:
    return list(path.rglob("*.py")) if path.is_dir() else [path]


def _digest(paths: list[Path]) -> str:
    texts = (f"{path.relative_to(PACKAGE).as_posix()}\n{path.read_text('utf-8')}" for path in paths)
    return sha256_text("\0".join(texts))[:DIGITS]
