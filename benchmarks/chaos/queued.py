"""Two experiments of a queue at once, whose processes are killed, and then all of them."""

import contextlib
import random
import signal
import time

import psutil

from benchmarks.chaos.attack import Attack, Outcome
from benchmarks.chaos.kills import begun, finished
from benchmarks.chaos.signals import SIGNALS, VICTIMS
from benchmarks.chaos.workshop import Project, Workshop
from benchmarks.promises import insist

ROUNDS = 2
KILLS = 4
"""Of a round, at most; then everything that is left is killed."""
STARTING = 60.0
"""Seconds within which the first stage of a queue begins."""


def killed_queue(workshop: Workshop, chance: random.Random) -> Outcome:
    """Each round queues two experiments that add to the study; the second resumes it."""
    project = begun(workshop, "queue", "hpo")
    kills = 0
    try:
        for number in range(ROUNDS):
            trials = project.finished_trials()
            kills += killed_round(project, chance, number)
            lost = project.lost(trials)
            insist(not lost, f"trials {lost} are lost or changed in round {number}")
        return Outcome(kills, finished(project, workshop))
    finally:
        project.remove()


def killed_round(project: Project, chance: random.Random, number: int) -> int:
    """Queue two experiments, start them, and kill; number of processes that were hit."""
    for total in (4, 5):
        name, change = f"to-{total}-{number}", f"hpo.n_trials={total}"
        ended = project.run("dvc", "exp", "run", "--queue", "-n", name, "-S", change)
        insist(ended.status == 0, f"it cannot be queued:\n{ended.output[-2000:]}")
    ended = project.run("dvc", "queue", "start", "--jobs", "2")
    insist(ended.status == 0, f"the queue does not start:\n{ended.output[-2000:]}")
    until = time.monotonic() + STARTING
    stage = VICTIMS["stage"].find
    while stage and not stage(project.processes()) and time.monotonic() < until:
        time.sleep(0.1)
    kills = 0
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 3))
        find = VICTIMS[chance.choice(["dvc", "stage", "worker"])].find
        hit = find(project.processes()) if find else []
        kills += signalled(chance.sample(hit, 1) if hit else [], chance.choice(SIGNALS))
    while left := project.processes():
        kills += signalled(left, signal.SIGKILL)
        time.sleep(0.1)
    return kills


def signalled(processes: list[psutil.Process], number: int) -> int:
    """Send a signal to each; how many were there to get it."""
    count = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
            count += 1
    return count


ATTACKS = (
    Attack("kills-queue", "any signal to any process of two experiments of a queue", killed_queue,
           weight=0.2),
)  # fmt: skip
