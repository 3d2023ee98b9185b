"""A disk that is full, a limit on the size of a file, and folders that cannot be written to."""

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.chaos.attack import Attack, NotPossible, Outcome
from benchmarks.chaos.damage import remove
from benchmarks.chaos.workshop import Ended, Project, Workshop
from benchmarks.promises import insist
from twotower.common.files import TEMPORARY

STAGES = {"prepare": 80, "hpo": 440, "refit": 260, "visualize": 11_000}
"""What each writes at most in a workshop, in kilobytes, so that all of it is hit."""
REASONS = (
    "No space left on device",
    "database or disk is full",
    "File too large",
    "disk I/O error",  # SQLite's words for a file that may not grow
    "Permission denied",
    "Read-only file system",
    "unable to open database file",
    "attempt to write a readonly database",
    "No usable temporary directory found",
)
WITHOUT_ROOT = "--bounding-set=-dac_override,-dac_read_search"
"""Without these rights, root may write where any other owner may, and no further."""


def undone(shop: Workshop, stage: str, rng: random.Random, root: str) -> Project:
    """A finished copy in which a stage has to run again, over its outputs or without them."""
    project = shop.copy(root, ran=True)
    stages = list(STAGES)
    if rng.random() < 0.5:
        for name in stages[stages.index(stage) :]:
            for output in project.repository.outputs(name):
                remove(project.root / output)
    if stage == "hpo":
        shutil.rmtree(project.root / ".hpo")
    return project


def judged(shop: Workshop, project: Project, ended: Ended, where: str) -> str:
    """How a stage ended; what it left, and what the next run makes of that.

    Raises:
        AssertionError: if a promise was broken.
    """
    said = f"{where}: status {ended.status}: {ended.output[-2000:]}"
    lines = ended.errors
    insist("Traceback" not in ended.output, f"a traceback; {said}")
    if ended.status:
        insist(ended.status == 1 and len(lines) == 1, f"not one message; {said}")
        insist(any(reason in lines[0] for reason in REASONS), f"another reason; {said}")
        insist("/" in lines[0] or "." in lines[0].split(":")[1], f"no path; {said}")
    half = {
        name: digest
        for name, digest in project.digests().items()
        if digest != shop.reference[name] and TEMPORARY not in name
    }
    insist(not half, f"half-written: {sorted(half)}; {said}")
    return "one message" if ended.status else "had space enough"


def finished_well(shop: Workshop, project: Project, stored: dict[int, str], where: str) -> None:
    """Run the pipeline to its end, with space.

    Raises:
        AssertionError: if a promise was broken.
    """
    ended = project.run("dvc", "repro")
    insist(not ended.status, f"{where}: the next run fails: {ended.output[-2000:]}")
    differ = shop.differing(project)
    insist(not differ, f"{where}: the next run ends with other bytes: {differ}")
    lost = project.lost(stored)
    insist(not lost, f"{where}: trials lost: {lost}")
    left = [str(p) for p in project.root.rglob(f"{TEMPORARY}*") if ".git" not in p.parts]
    insist(not left, f"{where}: left behind: {left}")


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A mount on a folder, for as long as the context lasts.

    Raises:
        NotPossible: if this user may not mount.
    """
    done = subprocess.run(
        ["/usr/bin/env", "mount", *options, str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        msg = "mounting needs root, on Linux"
        raise NotPossible(msg)
    try:
        yield
    finally:
        subprocess.run(["/usr/bin/env", "umount", "--lazy", str(folder)], check=False)


def filled(folder: Path, kilobytes: int) -> Path:
    """Leave so much space on the disk of a folder; the file that takes the rest."""
    ballast, disk = folder / "ballast", os.statvfs(folder)
    size = disk.f_bavail * disk.f_frsize - 1024 * kilobytes
    with ballast.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(size, 1))
    return ballast


def check_linux() -> None:
    """Insist on root and Linux.

    Raises:
        NotPossible: elsewhere.
    """
    if sys.platform != "linux" or os.geteuid():
        msg = "it needs root, on Linux"
        raise NotPossible(msg)


def full_disk(shop: Workshop, rng: random.Random) -> Outcome:
    """Run a stage on a disk with too little space for some write of it."""
    check_linux()
    stage = rng.choice(list(STAGES))
    free = rng.randrange(STAGES[stage])
    source, where = undone(shop, stage, rng, "undone"), f"{stage} with {free} KB"
    folder = shop.folder / "full"
    folder.mkdir(exist_ok=True)
    with mounted(folder, "-t", "tmpfs", "-o", "size=128m", "tmpfs"):
        shutil.copytree(source.root, folder, symlinks=True, dirs_exist_ok=True)
        project = Project(folder)
        ballast = filled(folder, free)
        ended = project.run("python", f"stages/{stage}.py")
        ballast.unlink()
        note, stored = judged(shop, project, ended, where), project.finished_trials()
        finished_well(shop, project, stored, where)
    return Outcome(1, f"{stage}: {note}")


def full_temporary_folder(shop: Workshop, rng: random.Random) -> Outcome:
    """Run a stage with a full disk behind TMPDIR."""
    check_linux()
    stage = rng.choice(list(STAGES))
    project, where = undone(shop, stage, rng, "undone"), f"{stage} with a full TMPDIR"
    folder = shop.folder / "tmp"
    folder.mkdir(exist_ok=True)
    with mounted(folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        filled(folder, rng.randrange(0, 200, 4))
        project.environment["TMPDIR"] = str(folder)
        ended = project.run("python", f"stages/{stage}.py")
    project.environment.pop("TMPDIR")
    note = judged(shop, project, ended, where)
    finished_well(shop, project, project.finished_trials(), where)
    return Outcome(1, f"{stage}: {note}")


def small_files(shop: Workshop, rng: random.Random) -> Outcome:
    """Run a stage that may not write files above some size."""
    stage = rng.choice(list(STAGES))
    limit = rng.choice([1, 2, 4, 8, 16, 32, 64, 100, 128, 256, 1024, 4096])
    project, where = undone(shop, stage, rng, "undone"), f"{stage} with files of {limit} KB"
    script = 'set -o pipefail; (ulimit -f "$0"; exec "$@") 2>&1 | cat'  # the log may grow
    ended = project.run("bash", "-c", script, str(limit), "python", f"stages/{stage}.py")
    note = judged(shop, project, ended, where)
    finished_well(shop, project, project.finished_trials(), where)
    return Outcome(1, f"{stage}: {note}")


def read_only(shop: Workshop, rng: random.Random) -> Outcome:
    """Run a stage by a user who may not write to one of its folders, or where nobody may."""
    check_linux()
    stage = rng.choice(list(STAGES))
    project = undone(shop, stage, rng, "undone")
    folder = project.root / rng.choice(_written_by(project, stage))
    where = f"{stage} with a read-only {folder.relative_to(project.root)}"
    command: Sequence[str] = ("python", f"stages/{stage}.py")
    folder.mkdir(parents=True, exist_ok=True)
    if rng.random() < 0.5:
        where += " for this user"
        folder.chmod(0o555)
        ended = project.run("setpriv", WITHOUT_ROOT, "--inh-caps=-all", *command)
        folder.chmod(0o755)
    else:
        with mounted(folder, "--bind", "-o", "ro", str(folder)):
            ended = project.run(*command)
    note = judged(shop, project, ended, where)
    finished_well(shop, project, project.finished_trials(), where)
    return Outcome(1, f"{stage}: {note}")


def _written_by(project: Project, stage: str) -> list[str]:
    """The folders that a stage writes to."""
    outputs = project.repository.outputs(stage)
    folders = {str(Path(output).parent) for output in outputs}
    folders |= {output for output in outputs if (project.root / output).is_dir()}
    kept = {"hpo": [".hpo"], "refit": [".hpo", ".hpo/looks"]}.get(stage, [])
    return sorted({*folders, *kept})


ATTACKS = (
    Attack("full_disk", "a stage on a disk with too little space", full_disk, 3),
    Attack("full_tmp", "a stage with a full folder for temporary files", full_temporary_folder),
    Attack("small_files", "a stage that may write small files only", small_files),
    Attack("read_only", "a stage with a folder that it may not write to", read_only, 2),
)
