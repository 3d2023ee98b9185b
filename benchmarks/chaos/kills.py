"""Runs that are killed again and again, by every signal, whoever is hit, however they were started.

A chain takes a project in which the last stages have not run, kills run after run at a random
moment or at an event, and then lets one run end. After every kill, no finished trial may be lost,
every declared output must be absent or whole, and one message may have been shown, at most.
"""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.chaos.attack import Attack, Outcome
from benchmarks.chaos.damage import remove
from benchmarks.chaos.signals import EVENTS, SIGNALS, STAGES, VICTIMS, Event, await_moment, hit
from benchmarks.chaos.workshop import Project, Workshop
from benchmarks.promises import insist
from twotower.common.paths import LOCK
from twotower.common.quiet_start import INTERRUPTED
from twotower.verification.locked import RUNNING

KILLS = 16
"""Of a chain, at most."""
GONE = 20.0
"""Seconds within which all processes end with a run; three do, on a machine with nothing else."""
OURS = re.compile(r'File "\S*/twotower/(?!__init__|stages/__init__|common/quiet_start)\S+\.py"')
"""In a traceback: it is of our code, after its first line."""


@dataclass(frozen=True)
class Start:
    """A way to start a run.

    Attributes:
        name: of the attack.
        what: the command, for people.
        command: to start; `STAGE` stands for the first stage that has not run.
        victims: whom a signal may hit.
        weight: of the attack.
    """

    name: str
    what: str
    command: tuple[str, ...]
    victims: tuple[str, ...] = tuple(VICTIMS)
    weight: float = 1


STARTS = (
    Start("kills-by-hand", "python stages/….py", ("python", "stages/STAGE.py"),
          ("group", "stage", "worker"), weight=4),
    Start("kills-repro", "dvc repro", ("dvc", "repro"), weight=3),
    Start("kills-exp", "dvc exp run", ("dvc", "exp", "run")),
    Start("kills-temp", "dvc exp run --temp", ("dvc", "exp", "run", "--temp")),
)  # fmt: skip


def chain(start: Start, workshop: Workshop, chance: random.Random, kills: int = KILLS) -> Outcome:
    """Kill the runs of one project, then let one end."""
    first = chance.choice(STAGES)
    project = begun(workshop, start.name, first)
    wall = walls(workshop)[first]
    command = [part.replace("STAGE", first) for part in start.command]
    done: list[str] = []
    try:
        for _ in range(kills):
            killed(Run(project, command, start, first, wall, workshop.reference), chance, done)
            if len(done) >= kills or not workshop.differing(project):
                break  # often enough, or nothing is left to run
        return Outcome(len(done), finished(project, workshop))
    except AssertionError as error:
        return Outcome(len(done), "broken", f"from {first}: {'; '.join(done)}: {error}")
    finally:
        project.remove()


def begun(workshop: Workshop, name: str, first: str) -> Project:
    """A copy in which a stage, and those after it, have not run yet."""
    project = workshop.copy(name, ran=True)
    for stage in STAGES[STAGES.index(first) :]:
        for output in project.repository.outputs(stage):
            remove(project.root / output)
    if first in ("prepare", "hpo"):
        shutil.rmtree(project.root / ".hpo")
    shutil.rmtree(project.root / ".dvc" / "cache" / "runs")  # else nothing would run
    lock = project.root / LOCK
    kept = lock.read_text("utf-8").partition(f"\n  {first}:\n")[0]
    lock.write_text(kept + "\n" if first != "prepare" else "schema: '2.0'\nstages: {}\n", "utf-8")
    project.repository.commit(f"Before {first}")
    return project


def walls(workshop: Workshop) -> dict[str, float]:
    """Seconds that each stage took, undisturbed, to its last output."""
    found, before = {}, workshop.began
    for stage in STAGES:
        paths = [
            workshop.finished.root / name for name in workshop.finished.repository.outputs(stage)
        ]
        end = max(path.stat().st_mtime for path in paths)
        found[stage], before = end - before, end
    return found


@dataclass(frozen=True)
class Run:
    """What is to be disturbed.

    Attributes:
        project: in which it runs.
        command: that starts it.
        start: the row of STARTS.
        first: stage.
        wall: seconds that its first stage takes, undisturbed.
        reference: of the workshop.
    """

    project: Project
    command: list[str]
    start: Start
    first: str
    wall: float
    reference: Mapping[str, str]

    @property
    def victims(self) -> list[str]:
        """Those that there are in it: the search alone has workers."""
        return [name for name in self.start.victims if name != "worker" or self.first == "hpo"]

    @property
    def events(self) -> list[Event]:
        """Those that may happen in it."""
        by_dvc = self.command[0] == "dvc"
        return [
            event
            for event in EVENTS.values()
            if self.first in event.stages and by_dvc >= event.by_dvc
        ]


def killed(this: Run, chance: random.Random, done: list[str]) -> None:
    """Run, and signal processes until the run ends; what was done to it is added to `done`."""
    project = this.project
    trials = project.finished_trials()
    run = project.start(*this.command)
    wall = this.wall
    while run.poll() is None:
        victim = VICTIMS[chance.choice(this.victims)]
        number = chance.choice(SIGNALS)
        when = await_moment(project, run, chance, wall, this.events)
        wall /= 2  # what is left of it
        if run.poll() is None and hit(project, run, victim, number):
            done.append(f"{signal.Signals(number).name} to {victim.name} at {when}")
            if victim.ends(number):
                await_end(project, run, done)
    check(this, run, trials, done)


def await_end(project: Project, run: "subprocess.Popen[bytes]", done: list[str]) -> None:
    """Wait until nothing of the run is left."""
    until = time.monotonic() + GONE
    while (left := project.processes()) and time.monotonic() < until:
        run.poll()
        time.sleep(0.05)
    said = [" ".join(one.cmdline())[-80:] for one in left if one.is_running()]
    insist(not said, f"after {done[-1:]}, {GONE:g} s later these still run: {said}")
    run.wait()


def check(
    this: Run, run: "subprocess.Popen[bytes]", trials: dict[int, str], done: list[str]
) -> None:
    """Whether the promises hold after a run."""
    project, output = this.project, this.project.output(run)
    said = f"after {done[-1:]}, status {run.returncode}:\n{output[-3000:]}"
    lost = project.lost(trials)
    insist(not lost, f"trials {lost} are lost or changed {said}")
    for path, digest in project.digests().items():
        if path != LOCK.name:
            known = this.reference.get(path)
            insist(digest == known, f"{path} is neither absent nor whole {said}")
    check_output(output, said)


def check_output(output: str, said: str) -> None:
    """Whether what was shown is clear."""
    insist(not OURS.search(output), f"a traceback of ours {said}")
    messages = [
        line for line in output.splitlines() if line.startswith("error:") or line == INTERRUPTED
    ]
    insist(len(messages) <= 1, f"{len(messages)} messages {said}")


def finished(project: Project, workshop: Workshop) -> str:
    """Let a run end, after what the messages say must be done first; how it went."""
    trials, note = project.finished_trials(), "same bytes"
    ended = project.run("dvc", "repro")
    if ended.status and RUNNING in ended.output:
        insist_on_hint(project, RUNNING)
        (project.root / RUNNING).unlink()
        ended, note = project.run("dvc", "repro"), f"same bytes, without {RUNNING}"
    if ended.status and "dvc.lock' " in ended.output:  # validation failed, is invalid
        insist_on_hint(project, "git restore dvc.lock")
        project.repository.git("restore", LOCK.name)
        ended, note = project.run("dvc", "repro"), "same bytes, after git restore dvc.lock"
    insist(ended.status == 0, f"the next run fails:\n{ended.output[-3000:]}")
    check_output(ended.output, f"in the next run:\n{ended.output[-3000:]}")
    lost = project.lost(trials)
    insist(not lost, f"trials {lost} are lost by the next run")
    differing = workshop.differing(project)
    insist(not differing, f"{differing} differ after the next run")
    return note


def insist_on_hint(project: Project, hint: str) -> None:
    """Insist that twotower says what to do about a file that DVC cannot read."""
    ended = project.run("twotower", "check")
    insist(ended.status != 0 and hint in ended.output, f"no hint {hint}: {ended.output}")


ATTACKS = tuple(
    Attack(start.name, f"any signal to any process of {start.what}", partial(chain, start),
           start.weight)
    for start in STARTS
)  # fmt: skip
