"""Studies that were edited or damaged between two runs: in `.hpo/`, in the snapshot, in both.

The next `dvc repro` of the search must end with the bytes of an undisturbed one; where it stops
instead, it must do so with one line, and go on once the file that the line names is gone.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.chaos.attack import Attack, Outcome
from benchmarks.chaos.damage import WAYS, remove
from benchmarks.chaos.workshop import Ended, Project, Workshop
from benchmarks.promises import insist

SEARCH = ("dvc", "repro", "--force", "--single-item", "hpo")
LOST = "was changed since it was stored"
EDITS = (
    "update trial_values set value = 0.99 where trial_id = {trial}",
    "update trial_params set param_value = param_value * 2 where trial_id = {trial}",
    "update trial_user_attributes set value_json = '[0.5]' where trial_id = {trial}",
    "update trials set state = 'FAIL' where trial_id = {trial}",
    "delete from trial_values where trial_id = {trial}",
    "delete from trials where trial_id = {trial}",
)
"""The first trial that an update of all its parameters changes must have one that can double."""


def edit(workshop: Workshop, chance: random.Random) -> Outcome:
    """Edit trials of the live study, the snapshot or both, as with the program `sqlite3`."""
    project = workshop.copy("edited", ran=True)
    places = chance.choice((["live"], ["snapshot"], ["live", "snapshot"]))
    same, done = chance.random() < 0.5, []
    trial = chance.randint(1, 5)
    for place in places:
        path = study(project) if place == "live" else project.root / "hpo_study.db"
        statement = chance.choice(EDITS).format(trial=trial if same else chance.randint(1, 5))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)
        done.append(f"{place}: {statement}")
    try:
        ended = project.run(*SEARCH)
        insist(ended.status == 0, f"status {ended.status}: {ended.output}")
        is_copied = all(edit.startswith("snapshot: delete from trials ") for edit in done)
        insist(is_copied or LOST in ended.output, f"not named: {ended.output}")
        same_bytes(workshop, project)
    except AssertionError as error:
        return Outcome(len(done), "broken", f"{done}: {error}")
    finally:
        project.remove()
    return Outcome(len(done), "named, and the same bytes")


def study(project: Project) -> Path:
    """The database of the live study."""
    [path] = project.root.glob(".hpo/*/*/study.db")
    return path


def dangle(path: Path, _chance: random.Random) -> None:
    """Put a link to nothing in its place."""
    path.unlink()
    path.symlink_to(path.with_name("nothing here"))


def other(path: Path, _chance: random.Random) -> None:
    """Put a database of another program in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table trials (a)")


HERE = ("hpo_study.db", "hpo_results.json", "metrics/hpo_trials.csv")
STUDY = ("study.db", "study.db", "study.db-journal", "study.db-wal", "provenance.json")
HOME = ("identity.json", "lock", "lock.holder")
TRIALS = ("trials/0002.json", "trials/0099.json")


def damage(workshop: Workshop, chance: random.Random) -> Outcome:
    """Damage one file of the study, and let the search run again."""
    project = workshop.copy("damaged", ran=True)
    live = study(project).parent
    name = chance.choice((*HERE, *STUDY, *HOME, *TRIALS))
    path = {**{n: project.root / n for n in HERE}, **{n: live.parent / n for n in HOME}}.get(
        name, live / name
    )
    if not path.exists():  # as a search that was killed leaves it
        path.write_bytes(study(project).read_bytes()[: chance.choice((0, 50, 5000))])
    way = chance.choice((*WAYS, dangle, other))
    way(path, chance)
    done = f"{way.__name__} {path.relative_to(project.root)}"
    try:
        return Outcome(1, healed(workshop, project, path))
    except AssertionError as error:
        return Outcome(1, "broken", f"{done}: {error}")
    finally:
        project.remove()


def healed(workshop: Workshop, project: Project, path: Path) -> str:
    """How the search goes on; what its one line names is deleted first, if there is one."""
    ended = project.run(*SEARCH)
    note = "healed, and the same bytes"
    if ended.status:
        refused(ended, path)
        remove(path)
        ended = project.run(*SEARCH)
        note = "one line; without the file the same bytes"
    insist(ended.status == 0, f"status {ended.status}: {ended.output}")
    insist("Traceback" not in ended.output, ended.output)
    same_bytes(workshop, project)
    return note


def refused(ended: Ended, path: Path) -> None:
    """Insist on one line that names the file: of ours, or of DVC where it stops before us."""
    said = ended.output.splitlines()
    lines = ended.errors or [line for line in said if line.startswith("ERROR: ")]
    insist(len(lines) == 1 and "Traceback" not in ended.output, ended.output)
    insist(path.name in lines[0], f"{path.name} is not named: {lines[0]}")


def same_bytes(workshop: Workshop, project: Project) -> None:
    """Insist that every declared output is that of an undisturbed run."""
    differ = [name for name in workshop.differing(project) if name in workshop.reference]
    insist(not differ, f"other bytes: {differ}")


ATTACKS = (
    Attack("edited-trials", "trials of the live study and the snapshot edited by hand", edit),
    Attack("damaged-study", "a file of `.hpo/` or of the search's results cut, flipped, emptied, "
           "deleted, or in its place a folder, a dead link, another database", damage, weight=2),
)  # fmt: skip
