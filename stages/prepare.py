"""Stage `prepare`: raw files → data/prepared/ and metrics/data.json.

`dvc repro` runs it as params.yaml says; it takes no arguments.
"""

from pathlib import Path

from twotower.common.paths import repository_root
from twotower.common.progress import step
from twotower.common.stage import run_stage
from twotower.config import load_config
from twotower.data.prepared import PREPARED
from twotower.ingest import prepare
from twotower.ingest.guard import LAST_RUN
from twotower.ingest.summary import summary
from twotower.ingest.untracked import untracked_note

METRICS = Path("metrics/data.json")


def main() -> None:
    """Run the stage in the current directory."""
    config = load_config()
    with step("prepare"):
        report = prepare(config, PREPARED, METRICS, LAST_RUN)
    print(summary(report))
    if note := untracked_note(Path(config.data.root), repository_root()):
        print(f"note: {note}")


if __name__ == "__main__":
    run_stage(main, __doc__)
