"""Stage `visualize`: results of the search → plots/; needs no model and no database."""

from pathlib import Path

from twotower.common.errors import one_line_errors
from twotower.config import load_config
from twotower.plots import write_plots
from twotower.tracking.background import upload_plots

RESULTS, PLOTS = Path("hpo_results.json"), Path("plots")


def main() -> None:
    """Draw the search."""
    config = load_config()
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
    with one_line_errors():
        main()
