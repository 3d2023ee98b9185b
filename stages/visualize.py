"""Stage `visualize`: trials table and results of the search → plots/; no model, no database."""

from pathlib import Path

from twotower.common.console import one_line_errors
from twotower.config import load_config
from twotower.plots import write_plots
from twotower.tracking.background import upload_plots

RESULTS, PLOTS = Path("hpo_results.json"), Path("plots")


def main() -> None:
    """Draw what the search did."""
    config = load_config()
    written = write_plots(
        results_file=RESULTS,
        trials_file=Path("metrics/hpo_trials.csv"),
        folder=PLOTS,
        static=config.visualize.static,
        verdict_file=Path("metrics/verdict.json"),
    )
    for line in [*map(str, written.files), *written.notes]:
        print(line)
    upload_plots(config.mlflow, RESULTS, PLOTS)


if __name__ == "__main__":
    with one_line_errors():
        main()
