"""Verifies the current commit: are its outputs those that its dvc.lock names?"""

import shutil
from pathlib import Path

from twotower.common.errors import VerificationError
from twotower.common.progress import step
from twotower.verification.committed import Committed
from twotower.verification.compare import Verification, compare
from twotower.verification.locked import Lock
from twotower.verification.rerun import run_again
from twotower.verification.scratch import Checkout, Scratch, scratch_clone


def verify(checkout: Checkout, keep: Path | None = None) -> Verification:
    """Run the pipeline of a commit in a scratch clone, and compare what it writes.

    Args:
        checkout: of the commit.
        keep: folder to be made for the clone, which then stays; None: nothing is left.

    Raises:
        ConfigError: if params.yaml is not valid, or git fails.
        VerificationError: if the pipeline cannot be run.
    """
    cache, files = _cache(checkout.folder)
    with scratch_clone(checkout, cache, keep) as scratch:
        lock = Lock.read(scratch.folder)
        _set_aside(lock, scratch)
        run_again(scratch.folder, scratch.environment, len(lock.stages))
        with step("comparison"):
            committed = Committed(scratch.committed, files)
            return compare(lock, Lock.read(scratch.folder), scratch.folder, committed)


def _cache(folder: Path) -> tuple[Path, Path]:
    """DVC's cache, and the folder in it that has files by digest."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(str(folder)) as repo:
            return Path(repo.cache.local_cache_dir), Path(repo.cache.local.path)
    except NotDvcRepoError:
        msg = f"{folder}: no DVC repository; add .dvc/config to git, or run dvc init"
        raise VerificationError(msg) from None


def _set_aside(lock: Lock, scratch: Scratch) -> None:
    """Keep the outputs that are in git as they were committed: the stages replace them."""
    for output in lock.outputs:
        source, place = scratch.folder / output.path, scratch.committed / output.path
        if source.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
