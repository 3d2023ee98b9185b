"""Two runs of one project at the same time, and runs whose clock is set back."""

import random
from collections.abc import Mapping
from pathlib import Path

from benchmarks.chaos.attack import Attack, NotPossible, Outcome
from benchmarks.chaos.kills import begun, check_output, finished
from benchmarks.chaos.signals import EVENTS, await_event
from benchmarks.chaos.workshop import Workshop
from benchmarks.promises import insist

FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
)
"""Where packages called faketime keep their library."""
BUSY = ("is busy", "Unable to acquire lock", "Another DVC process", "lock file")
"""What DVC says to the second of two."""


def two_repros(workshop: Workshop, chance: random.Random) -> Outcome:
    """One of them, at least, ends well; DVC may send the other away, in its own words."""
    project = begun(workshop, "repros", chance.choice(["prepare", "hpo", "refit"]))
    try:
        runs = [project.start("dvc", "repro")]
        if chance.random() < 0.5:
            await_event(project, runs[0], EVENTS[chance.choice(list(EVENTS))], 10)
        runs.append(project.start("dvc", "repro"))
        ended = [project.ended(run) for run in runs]
        for one in ended:
            check_output(one.output, one.output)
            is_busy = any(words in one.output for words in BUSY)
            insist(one.status == 0 or is_busy, f"status {one.status}:\n{one.output[-3000:]}")
        note = "both end well" if not any(one.status for one in ended) else "DVC lets one in"
        finished(project, workshop)
        return Outcome(1, note)
    finally:
        project.remove()


def two_searches(workshop: Workshop, chance: random.Random) -> Outcome:
    """The second waits for the first, and says so; both end well."""
    project = begun(workshop, "searches", "hpo")
    try:
        runs = [project.start("python", "stages/hpo.py")]
        if chance.random() < 0.5:
            await_event(project, runs[0], EVENTS["a study"], 10)
        runs.append(project.start("python", "stages/hpo.py"))
        outputs = []
        for run in runs:
            one = project.ended(run)
            insist(one.status == 0, f"status {one.status}:\n{one.output[-3000:]}")
            outputs.append(one.output)
        waited = sum("which is running this study" in output for output in outputs)
        finished(project, workshop)
        return Outcome(1, "one waits" if waited else "one after the other")
    finally:
        project.remove()


def clock_set_back(workshop: Workshop, chance: random.Random) -> Outcome:
    """During a search, and again between it and the next run."""
    project = begun(workshop, "clock", "hpo")
    project.repository.set("hpo.workers", 0)  # libfaketime may hang in a process that is forked
    clock = project.root.parent / "clock.txt"
    usual = dict(project.environment)
    project.environment |= faked(clock)
    try:
        clock.write_text("+0", encoding="utf-8")
        run = project.start("python", "stages/hpo.py", "--n-trials", "3")
        event = EVENTS[chance.choice(["a study", "a trial"])]
        await_event(project, run, event, 20)
        clock.write_text(chance.choice(["-2h", "-40d", "-9y"]), encoding="utf-8")
        one = project.ended(run)
        insist(one.status == 0, f"status {one.status}:\n{one.output[-3000:]}")
        clock.write_text("-20y", encoding="utf-8")
        trials = project.finished_trials()
        one = project.run("python", "stages/hpo.py")
        insist(one.status == 0, f"status {one.status}:\n{one.output[-3000:]}")
        insist(not project.lost(trials), "trials are lost")
        project.environment = usual
        return Outcome(2, finished(project, workshop))
    finally:
        project.remove()


def faked(clock: Path) -> Mapping[str, str]:
    """Variables with which processes read their clock from a file."""
    library = next((path for path in FAKETIME if Path(path).exists()), None)
    if library is None:
        msg = "libfaketime is not installed (apt-get install faketime)"
        raise NotPossible(msg)
    return {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # nor does setting the clock change that one
    }


ATTACKS = (
    Attack("two-repros", "dvc repro, while another runs", two_repros, 0.2),
    Attack("two-searches", "stages/hpo.py, while another runs", two_searches, 0.2),
    Attack("clock", "the clock set back in a search, and before the next", clock_set_back, 0.2),
)
