"""What the driver itself costs: proposing and keeping trials of an objective that does nothing."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.measured import Line, Scale
from twotower.common.files import json_text
from twotower.common.seeds import derive_seed
from twotower.config import Config, parse_config
from twotower.search.identity import Fingerprint
from twotower.search.objective import Report
from twotower.search.proposals.propose import Proposer
from twotower.search.run_trial import execute
from twotower.search.store.live_study import LiveStudy, open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import Trial, distributions

PROPOSALS = 20
"""Measured at each size, each with one trial more than the one before."""
AIM = 50.0
"""Milliseconds of a proposal at 1,000 trials."""


def objective(trial: Trial, _report: Report | None = None) -> Trial:
    """A value that depends on the parameters, at no cost."""
    value = derive_seed(0, json_text(trial.params)) / 2**32
    metrics = {"recall_at_10": value}
    return replace(trial, state="COMPLETE", value=value, metrics=metrics, losses=[1.0])


def fill(study: LiveStudy, count: int) -> None:
    """Draw trials at random until the study holds `count`."""
    at_random = parse_config({"hpo": {"sampler": "random", "include_defaults": False}})
    for number in range(len(study.trials), count):
        drawn = Proposer(at_random.search_space, at_random.hpo, number).propose(0, {})
        study.add(_run(drawn, number))


def lines(scale: Scale) -> Iterator[Line]:
    """Milliseconds of processor time a trial, and the seconds of the snapshot at the end."""
    config = parse_config({})
    space = distributions(config.search_space.searched)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        location = StudyLocation(
            folder / ".hpo", folder / "hpo_study.db", Fingerprint({}), Fingerprint({})
        )
        with open_study(location, config.hpo, print) as study:
            for count in (100, 1000) if scale == "quick" else (100, 1000, 5000):
                fill(study, count)
                proposing, keeping = _next_trials(study, config)
                at = f"at {count:,} trials"
                yield Line(f"proposing a trial {at}", "ms", AIM, proposing)
                yield Line(f"keeping a trial {at}", "ms", AIM, keeping)
                trials = [study.trials[number] for number in range(count)]
                begun = time.perf_counter()
                write_snapshot(location.snapshot, "s", trials, space, {})
                seconds = time.perf_counter() - begun
                yield Line(f"writing the snapshot of {count:,} trials", "s", 5.0, seconds)


def _next_trials(study: LiveStudy, config: Config) -> tuple[float, float]:
    """Medians of the milliseconds that proposing and keeping take, from the second trial on."""
    proposer = Proposer(config.search_space, config.hpo, config.seed)
    proposing, keeping = [], []
    for number in range(len(study.trials), len(study.trials) + PROPOSALS):
        moments = [time.perf_counter()]
        trial = proposer.propose(number, study.trials)
        moments.append(time.perf_counter())
        study.add(_run(trial, number))
        moments.append(time.perf_counter())
        proposing.append(1000 * (moments[1] - moments[0]))
        keeping.append(1000 * (moments[2] - moments[1]))
    return median(proposing[1:]), median(keeping[1:])


def _run(trial: Trial | None, number: int) -> Trial:
    """The trial, finished.

    Raises:
        SystemExit: if the space has no more combinations.
    """
    if trial is None:
        raise SystemExit(f"the search space has no trial {number}")
    return execute(replace(trial, number=number, provenance="p"), objective)
