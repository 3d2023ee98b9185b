"""Stage refit: best and default hyperparameters on train + validation, scored on test."""

from pathlib import Path

from twotower.assessment.summary import summary
from twotower.common.cli import one_line_errors
from twotower.config import load_config
from twotower.refit import read_search, refit


def main() -> None:
    """Run the stage in the current directory."""
    assessment = refit(load_config(), read_search(Path("hpo_results.json")))
    for line in summary(assessment):
        print(line)


if __name__ == "__main__":
    with one_line_errors():
        main()
