"""Stage `prepare`: raw files → data/prepared/ and metrics/data.json.

`dvc repro` runs it as params.yaml says; it takes no arguments.
"""

from pathlib import Path

from twotower.common.paths import repository_root
from twotower.common.progress import say, step
from twotower.common.stage import LOADING, run_stage
from twotower.project.record import say_version

METRICS = Path("metrics/data.json")


def main() -> None:
    """Run the stage in the current directory, as its script does."""
    run_stage(_prepare, __doc__)


def _prepare() -> None:
    say_version("prepare")
    with step(LOADING):
        from twotower.config import load_config
        from twotower.data.prepared import PREPARED
        from twotower.ingest import prepare
        from twotower.ingest.data_profile import LAST_RUN
        from twotower.ingest.summary import summary
        from twotower.ingest.untracked import untracked_note
    config = load_config()
    with step("prepare"):
        report = prepare(config, PREPARED, METRICS, LAST_RUN)
    say(summary(report))
    if note := untracked_note(Path(config.data.root), repository_root()):
        say(f"note: {note}")
