"""How many processes of this machine run trials."""

import os
from contextlib import suppress
from pathlib import Path

import joblib
import torch

from twotower.config import Config
from twotower.search.store.locks import Say

WORTH = 200_000
"""Training rows, times trials, from which `auto` is more than one process: some six seconds."""
ROW = 400
"""Bytes that a trial takes for a training row, at most."""
PROCESS = 500_000_000
"""Bytes that it takes besides."""
CONTAINER = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where a container says how much memory it has."""


def local_count(config: Config, rows: int, trials: int, say: Say) -> int:
    """Number of local processes: at most the look-ahead, as more would be idle.

    Args:
        config: `hpo.workers`, `hpo.lookahead`, `train.threads` and `train.device` count.
        rows: of the training split.
        trials: that are to be run.
        say: shows a line to the user, if the number is another than `hpo.workers` says.
    """
    wanted, lookahead = config.hpo.workers, config.hpo.lookahead
    if wanted == "auto":
        return _chosen(config, rows, trials, say)
    if wanted > lookahead:
        say(
            f"hpo.workers: using {lookahead} instead of {wanted}, as at most "
            f"hpo.lookahead = {lookahead} trials run at a time"
        )
    return min(wanted, lookahead)


def _chosen(config: Config, rows: int, trials: int, say: Say) -> int:
    """What `auto` is here."""
    limits: dict[str, int] = {
        "by hpo.lookahead": config.hpo.lookahead,
        "by trials": trials,
        "by cores": joblib.cpu_count() // config.train.threads,
    }
    if memory := _memory():
        limits["by memory"] = memory // 2 // (PROCESS + ROW * rows)
    if config.train.device != "cpu" and torch.cuda.is_available():
        limits["on one GPU"] = 1
    if rows * trials < WORTH:
        limits["for a short search"] = 1
    reason, count = min(limits.items(), key=lambda limit: limit[1])
    count = max(1, count)
    say(f"workers: {count}, {reason} (hpo.workers: auto)")
    return count


def _memory() -> int:
    """Bytes of this machine, or of the container that this runs in; 0 where they are not known."""
    found = []
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in CONTAINER:
        with suppress(OSError, ValueError):  # there is none, or it is "max"
            found.append(int(path.read_text()))
    return min(found, default=0)
