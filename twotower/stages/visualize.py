"""Stage `visualize`: results of the search → plots/; needs no model and no database.

`dvc repro` runs it as params.yaml says; it takes no arguments. Last, it writes report.html, if all
that this page shows is there.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from twotower.common.errors import TwoTowerError
from twotower.common.paths import REPORT, repository_root
from twotower.common.progress import say, step
from twotower.common.stage import LOADING, run_stage
from twotower.project.record import say_version

if TYPE_CHECKING:
    from twotower.plots import DrawnSearch

RESULTS, PLOTS = Path("hpo_results.json"), Path("plots")


def main() -> None:
    """Run the stage in the current directory, as its script does."""
    run_stage(_visualize, __doc__)


def _visualize() -> None:
    say_version("visualize")
    with step(LOADING):
        from twotower.config import load_config
        from twotower.plots import write_plots
    config = load_config()
    with step("plots"):
        written = write_plots(
            results_file=RESULTS,
            folder=PLOTS,
            static=config.visualize.static,
            verdict_file=Path("metrics/verdict.json"),
            trials_file=Path("metrics/hpo_trials.csv"),
        )
    for line in [*map(str, written.files), *written.notes]:
        say(line)
    for line in written.advice:
        say(f"next: {line}")
    if config.mlflow.enabled:
        from twotower.tracking.background import upload_plots

        upload_plots(config.mlflow, RESULTS, PLOTS)
    if repository_root().resolve() == Path.cwd():  # else in the workspace of dvc exp run --temp
        _report(written.search)


def _report(search: "DrawnSearch") -> None:
    try:
        with step("report"):
            from twotower.report import write_report

            write_report(REPORT, search=search)
    except TwoTowerError as error:
        say(f"note: no {REPORT}: {' '.join(str(error).split())}")
    else:
        say(f"report: {REPORT.absolute()}")
