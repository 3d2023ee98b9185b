"""Stage refit: best and default hyperparameters on train + validation, scored on test."""

from pathlib import Path

from twotower.assessment.summary import summary
from twotower.common.errors import one_line_errors
from twotower.common.paths import decompositions_folder, repository_root
from twotower.config import load_config
from twotower.refit import read_search, refit


def main() -> None:
    """Run the stage in the current directory."""
    kept = decompositions_folder(repository_root())
    search = read_search(Path("hpo_results.json"))
    assessment = refit(load_config(), search, decompositions=kept, say=print)
    for line in summary(assessment):
        print(line)


if __name__ == "__main__":
    with one_line_errors():
        main()
