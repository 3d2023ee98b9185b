"""Raw data of every format, damaged: prepare refuses it, or reads what others read in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

from benchmarks.fuzz.raw_cases import Case, folders
from benchmarks.fuzz.raw_oracle import compare
from benchmarks.promises import insist, insist_bounded
from twotower.common.errors import ConfigError, DataError
from twotower.config.data import DataConfig
from twotower.config.params import parse_config
from twotower.ingest.prepare import examine
from twotower.inspection.proposal import propose
from twotower.inspection.report import report

TITLE = "raw files"


def cases() -> SearchStrategy[Case]:
    """Folders with events, perhaps a table and vectors."""
    return folders()


def check(case: Case, folder: Path) -> str:
    """A folder is refused in few words, or read as another program reads it."""
    root = folder / "raw"
    for name, content in case.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    try:
        config = parse_config({"data": {"root": str(root), **case.keys}})
        if case.inspect:
            return _looked_at(root, config.data)
        prepared = examine(config, folder / "out")
    except (ConfigError, DataError) as error:
        insist_bounded(error)
        return "refused"
    compare(root, config, prepared)
    return "read"


def _looked_at(root: Path, data: DataConfig) -> str:
    """What is proposed must be valid, whether or not the files can then be read."""
    proposal = propose(root, str(root), data)
    insist(report(proposal), "nothing is said")
    used = {setting.key: setting.value for setting in proposal.settings if setting.value}
    parse_config({"data": _sections(used)})
    return "looked at"


def _sections(keys: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Nested sections."""
    whole: dict[str, Any] = {}
    for (*sections, name), value in keys.items():
        inner = whole
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return whole
