"""Whether outputs may differ from those of dvc.lock because it was made on another machine."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from twotower.common.paths import LOCK, repository_root
from twotower.common.portable import platform_here, why_not
from twotower.common.progress import say
from twotower.common.yaml_file import read_yaml

RESULTS = "hpo_results.json"
"""The output that says on what it was made."""
CACHE = Path(".dvc/cache/files/md5")
"""Where DVC keeps outputs by their digest, unless it is told otherwise."""
BY_HOW_MUCH = "twotower verify says by how much"
X86_64 = re.compile(r"\S+ (x86_64|AMD64)\b")


def say_made_elsewhere(stage: str, *, device: str, portable: bool) -> None:
    """Say in one line that the stage's outputs may differ from those of dvc.lock, if they may.

    Args:
        stage: that runs in the current folder: hpo or refit.
        device: that it may compute on: cpu, cuda or auto, which is either.
        portable: of params.yaml.
    """
    digest = _locked_results(stage)
    if digest is None:
        return  # there is nothing to differ from
    idle = why_not() if portable else ""
    if note := lock_note(_platform_of(digest), platform_here(), device=device, idle=idle):
        say(f"note: {note}")


def lock_note(made_on: str | None, here: str, *, device: str, idle: str) -> str | None:
    """Why outputs may differ from those of dvc.lock, in one line; None: they should not.

    Args:
        made_on: platform of the outputs of dvc.lock, e.g. `Linux x86_64 AVX2`; None: not known.
        here: that of this machine.
        device: cpu, cuda or auto.
        idle: why `portable: true` has no effect here; empty if it has, or is not asked for.
    """
    if device != "cpu":
        return f"with CUDA, outputs may differ from those of {LOCK}; {BY_HOW_MUCH}"
    if made_on is not None:
        differs = f"{LOCK} was made on {made_on}, and this is {here}: outputs may differ"
        return None if made_on == here else f"{differs}; {BY_HOW_MUCH}"
    if idle:
        return f"{idle}, so outputs may differ from those of {LOCK}; {BY_HOW_MUCH}"
    if not X86_64.match(here):
        return f"this is {here}: outputs may differ from those of {LOCK}; {BY_HOW_MUCH}"
    return None


def _locked_results(stage: str) -> str | None:
    """Digest of the results that the stage wrote or read when it was last locked."""
    if not LOCK.exists():
        return None
    entry: dict[str, Any] = (read_yaml(LOCK) or {}).get("stages", {}).get(stage, {})
    files = [*entry.get("outs", ()), *entry.get("deps", ())]
    return next((file.get("md5") for file in files if file["path"] == RESULTS), None)


def _platform_of(digest: str) -> str | None:
    """What the results with this digest say, if they are still here: in place, or in the cache."""
    for path in (Path(RESULTS), repository_root() / CACHE / digest[:2] / digest[2:]):
        if path.is_file():
            content = path.read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() == digest:
                made_on = json.loads(content).get("provenance", {}).get("platform")
                return None if made_on is None else str(made_on)
    return None
