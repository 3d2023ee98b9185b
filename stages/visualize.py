"""Stage `visualize`: trials table and results of the search → plots/; no model, no database."""

from pathlib import Path

from twotower.common.cli import one_line_errors
from twotower.config import load_config
from twotower.plots import write_plots


def main() -> None:
    """Draw what the search did."""
    written = write_plots(
        results_file=Path("hpo_results.json"),
        trials_file=Path("metrics/hpo_trials.csv"),
        folder=Path("plots"),
        static=load_config().visualize.static,
        verdict_file=Path("metrics/verdict.json"),
    )
    for line in [*map(str, written.files), *written.notes]:
        print(line)


if __name__ == "__main__":
    with one_line_errors():
        main()
