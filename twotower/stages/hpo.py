"""Stage hpo: search the hyperparameters that rank the validation split best.

`dvc repro` runs it with params.yaml alone. By hand, flags override params.yaml for one run.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.common.interrupts import listening
from twotower.common.paths import repository_root
from twotower.common.progress import say, step
from twotower.common.stage import LOADING, begun
from twotower.project.made_elsewhere import say_made_elsewhere
from twotower.project.record import say_version

if TYPE_CHECKING:
    from twotower.config import Config

SNAPSHOT_URL = "sqlite:///hpo_study.db"


def main() -> None:
    """Run the stage in the current directory, as its script does."""
    arguments = parse_arguments()
    with listening(), begun():
        _search(arguments)


def parse_arguments() -> argparse.Namespace:
    """Flags; each one that is given overrides a key of params.yaml."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--n-trials", type=int, help="total number of trials")
    number.add_argument("--add-trials", type=int, metavar="N", help="run N more trials")
    parser.add_argument("--timeout", type=float, help="seconds after which no new trial starts")
    parser.add_argument("--data-root", help="folder of the raw data; runs the prepare stage first")
    parser.add_argument(
        "--storage",
        help=f"database URL of the live study; {SNAPSHOT_URL}, the declared snapshot, stands for "
        "the default in .hpo/",
    )
    parser.add_argument("--study-name", help="name of the study in the database")
    parser.add_argument("--mlflow-tracking", action="store_true", help="log the search to MLflow")
    parser.add_argument("--experiment-name", help="MLflow experiment")
    arguments = parser.parse_args()
    if arguments.add_trials is not None and arguments.add_trials < 1:
        parser.error("--add-trials: must be at least 1")
    return arguments


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keys of params.yaml that flags override."""
    given = {
        "data.root": arguments.data_root,
        "hpo.n_trials": arguments.n_trials,
        "hpo.storage": arguments.storage,
        "hpo.study_name": arguments.study_name,
        "hpo.timeout": arguments.timeout,
        "mlflow.enabled": arguments.mlflow_tracking or None,
        "mlflow.experiment": arguments.experiment_name,
    }
    return {key: value for key, value in given.items() if value is not None}


def _search(arguments: argparse.Namespace) -> None:
    say_version("hpo")
    with step(LOADING):
        from twotower.config import load_config
        from twotower.config.params import stated_secrets
        from twotower.finetuning.record import RESET, read_record, without_search
        from twotower.search.outputs import SearchOutputs
        from twotower.search.run_search import run_search
        from twotower.stages.search_reporter import SearchReporter
        from twotower.training.device import resolve_device
    config = load_config(overrides=overrides(arguments))
    for line in stated_secrets(config):
        say(f"warning: {line}")
    device = resolve_device(config.train.device)
    say_made_elsewhere("hpo", device=device, portable=config.portable)
    if arguments.data_root is not None:
        _prepare(config)
    if (record := read_record()) is not None:
        config = without_search(config, record)
        say(f"no search: one trial has the hyperparameters of the start model ({RESET} searches)")
    root = repository_root()
    reporter, outputs = SearchReporter(config, root), SearchOutputs()
    try:
        results = run_search(
            config, root, reporter, outputs=outputs, add_trials=arguments.add_trials or 0
        )
    except BaseException as error:
        reporter.abort(error)
        raise
    reporter.finish(results, outputs)


def _prepare(config: "Config") -> None:
    from twotower.data.prepared import PREPARED
    from twotower.ingest import prepare
    from twotower.ingest.data_profile import LAST_RUN
    from twotower.ingest.summary import summary

    with step("prepare"):
        report = prepare(config, PREPARED, Path("metrics/data.json"), LAST_RUN)
    say(summary(report))
