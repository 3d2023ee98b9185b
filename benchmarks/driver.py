"""What the driver itself costs: proposing and keeping trials of an objective that does nothing.

    python -m benchmarks.driver [--trials 100 1000 5000]

Prints milliseconds a trial for proposing (rebuild the shadow study and ask) and keeping (result
file and database row) over the last tenth of the trials, and the seconds that the snapshot takes.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import mean

from twotower.config import Config, parse_config
from twotower.config.load import hyperparameters
from twotower.search.execute import TrialTask, execute
from twotower.search.identity import Fingerprint
from twotower.search.location import StudyLocation
from twotower.search.objective import Outcome
from twotower.search.propose import distributions, propose
from twotower.search.snapshot import write_snapshot
from twotower.search.study import open_study
from twotower.search.trial import Params


def objective(params: Params) -> Outcome:
    """A value that depends on the parameters, at no cost."""
    return Outcome({"recall_at_10": params["dim"] / 64 - params["lr"]}, [1.0])


def measure(config: Config, counts: list[int], folder: Path) -> None:
    """Print a row whenever the study reaches one of the counts."""
    location = StudyLocation(
        folder / ".hpo", folder / "hpo_study.db", Fingerprint({}), Fingerprint({})
    )
    defaults = hyperparameters(config.model, config.train)
    proposing: list[float] = []
    keeping: list[float] = []
    with open_study(location, config.hpo, print) as study:
        for number in range(max(counts)):
            began = time.perf_counter()
            proposal = propose(number, study.records, config.hpo, config.seed, defaults)
            proposed = time.perf_counter()
            task = TrialTask(number, proposal.params, proposal.system_attrs, "recall_at_10", "p")
            record = execute(task, objective)
            executed = time.perf_counter()
            study.add(record)
            proposing.append(proposed - began)
            keeping.append(time.perf_counter() - executed)
            if number + 1 in counts:
                tail = -max(1, (number + 1) // 10)
                began = time.perf_counter()
                records = [study.records[n] for n in range(number + 1)]
                space = distributions(config.hpo.search_space)
                write_snapshot(location.snapshot, "s", records, space, {})
                snapshot = time.perf_counter() - began
                print(
                    f"{number + 1:>6} {1000 * mean(proposing[tail:]):>12.1f}"
                    f" {1000 * mean(keeping[tail:]):>12.1f} {snapshot:>12.1f}",
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
