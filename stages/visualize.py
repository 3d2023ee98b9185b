"""Stage `visualize`: results of the search → plots/; needs no model and no database.

`dvc repro` runs it as params.yaml says; it takes no arguments.
"""

from pathlib import Path

from twotower.common.progress import step
from twotower.common.stage import run_stage
from twotower.config import load_config
from twotower.plots import write_plots
from twotower.tracking.background import upload_plots

RESULTS, PLOTS = Path("hpo_results.json"), Path("plots")


def main() -> None:
    """Draw the search."""
    config = load_config()
    with step("plots"):
        written = write_plots(
            results_file=RESULTS,
            folder=PLOTS,
            static=config.visualize.static,
            verdict_file=Path("metrics/verdict.json"),
        )
    for line in [*map(str, written.files), *written.notes]:
        print(line)
    for line in written.advice:
        print(f"next: {line}")
    upload_plots(config.mlflow, RESULTS, PLOTS)


if __name__ == "__main__":
    run_stage(main, __doc__)
