"""Stage `refit`: best and default hyperparameters on train + validation, scored on test.

`dvc repro` runs it as params.yaml says; it takes no arguments.
"""

from pathlib import Path

from twotower.common.paths import decompositions_folder, repository_root
from twotower.common.progress import say, step
from twotower.common.stage import LOADING, run_stage
from twotower.project.made_elsewhere import say_made_elsewhere
from twotower.project.record import say_version

RESULTS = Path("hpo_results.json")


def main() -> None:
    """Run the stage in the current directory, as its script does."""
    run_stage(_refit, __doc__)


def _refit() -> None:
    say_version("refit")
    with step(LOADING):
        from twotower.assessment.looks import record_look
        from twotower.assessment.summary import summary
        from twotower.config import load_config
        from twotower.finetuning.start import StartModel
        from twotower.finetuning.summary import finetuning_lines
        from twotower.refit import RefitOutputs, num_parts, read_search, refit
        from twotower.training.device import resolve_device
    kept = decompositions_folder(repository_root())
    search, config = read_search(RESULTS), load_config()
    device = resolve_device(config.train.device)
    say_made_elsewhere("refit", device=device, portable=config.portable)
    start = StartModel.open()
    with step("refit", num_parts(config, finetunes=start is not None)):
        assessment = refit(config, search, decompositions=kept, start=start, say=say)
    looks = record_look(repository_root(), assessment.verdict, assessment.per_user)
    for line in (*summary(assessment, looks), *finetuning_lines(assessment.metrics)):
        say(line)
    if config.mlflow.enabled:
        from twotower.tracking.background import log_scores

        log_scores(config.mlflow, RESULTS, RefitOutputs().metrics.parent)
