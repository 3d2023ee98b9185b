"""Files that are damaged between the stages, and stages that are then run by hand."""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.chaos.attack import Attack, Outcome
from benchmarks.chaos.damage import WAYS, remove
from benchmarks.chaos.disk import finished_well
from benchmarks.chaos.workshop import Project, Workshop
from benchmarks.promises import insist

READERS: Mapping[str, tuple[str, ...]] = {
    "stages/hpo.py": (
        "data/prepared/train.parquet",
        "data/prepared/validation.parquet",
        "data/prepared/validation_history.parquet",
        "data/prepared/vocabulary/*",
    ),
    "stages/refit.py": (
        "data/prepared/*.parquet",
        "data/prepared/vocabulary/*",
        "hpo_results.json",
    ),
    "stages/visualize.py": ("hpo_results.json", "metrics/verdict.json"),
    "-m twotower report": (
        "data/prepared/*.parquet",
        "data/prepared/vocabulary/*",
        "hpo_results.json",
        "hpo_study.db",
        "metrics/*.json",
        "metrics/per_user.parquet",
        ".artifacts_best/*",
        ".artifacts_best/vocabulary/*",
    ),
    "-m twotower recommend --users all --out recs.csv": (
        ".artifacts_best/*",
        ".artifacts_best/vocabulary/*",
    ),
}
"""By command, what it may read."""


def damaged_file(shop: Workshop, rng: random.Random) -> Outcome:
    """Damage a file that a command reads, and run that by hand: it says so, or nothing differs."""
    project = shop.copy("damaged", ran=True)
    command = rng.choice(list(READERS))
    files = [path for pattern in READERS[command] for path in sorted(project.root.glob(pattern))]
    path = rng.choice([path for path in files if path.is_file()])
    damage = rng.choice(WAYS)
    name = path.relative_to(project.root).as_posix()
    where = f"{name} {damage.__name__}, then {command}"
    shutil.copy(path, project.root.parent / "whole")  # not a link into DVC's cache
    remove(path)
    shutil.copy(project.root.parent / "whole", path)
    damage(path, rng)
    if command == "stages/hpo.py":
        shutil.rmtree(project.root / ".hpo")
        (project.root / "hpo_study.db").unlink()
    note = _judged(shop, project, command, name, where)
    if rng.random() < 0.5:
        remove(path)
    finished_well(shop, project, {}, where)
    return Outcome(1, note)


def _judged(shop: Workshop, project: Project, command: str, name: str, where: str) -> str:
    ended = project.run("python", *command.split())
    said = f"{where}: status {ended.status}: {ended.output[-2000:]}"
    insist("Traceback" not in ended.output, f"a traceback; {said}")
    lines = ended.errors
    if ended.status:
        folders = {Path(name).parts[0], Path(name).name}
        insist(ended.status == 1 and len(lines) == 1, f"not one message; {said}")
        insist(any(part in lines[0] for part in folders), f"another file; {said}")
        insist(len(lines[0]) < 1000, f"a long message; {said}")
        return "named"
    if "note: no report.html: " in ended.output:
        return "named, no report"
    itself = (name, f"{name}/")  # it may be a folder by now
    differ = [path for path in shop.differing(project) if not path.startswith(itself)]
    insist(not differ, f"believed, other results: {differ}; {said}")
    return "no result differs"


ATTACKS = (
    Attack(
        "damaged_file",
        "a file between the stages cut, emptied, zeroed, a bit of it changed, or a folder there",
        damaged_file,
        5,
    ),
)
