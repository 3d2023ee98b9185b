"""What the driver itself costs: proposing and keeping trials of an objective that does nothing.

    python -m benchmarks.driver [--trials 100 1000 5000] [--sampler tpe]

At each size of the study, milliseconds a trial for proposing (rebuild the shadow study and ask) and
for keeping (result file and database row), as medians, and the seconds that the snapshot takes.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from twotower.config import Config, parse_config
from twotower.search.identity import Fingerprint
from twotower.search.objective import Report
from twotower.search.proposals.propose import propose
from twotower.search.proposals.repeats import Repeats
from twotower.search.run_trial import execute
from twotower.search.store.live_study import LiveStudy, open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import Trial, distributions

PROPOSALS = 7
"""Measured at each size."""


def objective(trial: Trial, _report: Report | None = None) -> Trial:
    """A value that depends on the parameters, at no cost."""
    value = trial.params["dim"] / 64 - trial.params["lr"]
    metrics = {"recall_at_10": value}
    return replace(trial, state="COMPLETE", value=value, metrics=metrics, losses=[1.0])


def run_trial(
    number: int, config: Config, earlier: dict[int, Trial], repeats: Repeats | None = None
) -> Trial:
    """A finished trial, proposed from the earlier ones."""
    trial = propose(number, earlier, config.search_space, config.hpo, config.seed, repeats=repeats)
    if trial is None:
        msg = f"the search space has fewer than {number + 1} combinations"
        raise SystemExit(msg)
    return execute(replace(trial, provenance="p"), objective)


def fill(study: LiveStudy, count: int) -> float:
    """Draw trials at random until the study holds `count`; median milliseconds to keep one."""
    at_random = parse_config({"hpo": {"sampler": "random", "include_defaults": False}})
    seconds = []
    for number in range(len(study.trials), count):
        drawn = run_trial(0, at_random.model_copy(update={"seed": number}), {})
        began = time.perf_counter()
        study.add(replace(drawn, number=number))
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


def measure(config: Config, counts: list[int], folder: Path) -> None:
    """Print a row for each size of the study."""
    location = StudyLocation(
        folder / ".hpo", folder / "hpo_study.db", Fingerprint({}), Fingerprint({})
    )
    space = distributions(config.search_space.searched)
    repeats = Repeats(config.search_space)  # a search makes it once
    with open_study(location, config.hpo, print) as study:
        for count in counts:
            keeping = fill(study, count)
            proposing = []
            for _ in range(PROPOSALS):
                began = time.perf_counter()
                run_trial(count, config, study.trials, repeats)
                proposing.append(time.perf_counter() - began)
            began = time.perf_counter()
            trials = [study.trials[number] for number in range(count)]
            write_snapshot(location.snapshot, "s", trials, space, {})
            snapshot = time.perf_counter() - began
            print(
                f"{count:>6} {1000 * median(proposing):>12.1f} {keeping:>12.1f} {snapshot:>12.2f}",
                flush=True,
            )


def main() -> None:
    """Measure in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--sampler", default="tpe")
    arguments = parser.parse_args()
    print(f"{'trials':>6} {'propose, ms':>12} {'keep, ms':>12} {'snapshot, s':>12}")
    config = parse_config({"hpo": {"sampler": arguments.sampler}})
    with tempfile.TemporaryDirectory() as folder:
        measure(config, sorted(arguments.trials), Path(folder))


if __name__ == "__main__":
    main()
