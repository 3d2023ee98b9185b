"""Stage `prepare`: raw files → data/prepared/ and metrics/data.json, as params.yaml says."""

from pathlib import Path

from twotower.common.errors import one_line_errors
from twotower.common.paths import repository_root
from twotower.config import load_config
from twotower.data.prepared import PREPARED
from twotower.ingest import prepare
from twotower.ingest.guard import LAST_RUN
from twotower.ingest.summary import summary
from twotower.ingest.untracked import untracked_note

METRICS = Path("metrics/data.json")


def main() -> None:
    """Run the stage in the current directory."""
    with one_line_errors():
        config = load_config()
        print(summary(prepare(config, PREPARED, METRICS, LAST_RUN)))
        if note := untracked_note(Path(config.data.root), repository_root()):
            print(f"note: {note}")


if __name__ == "__main__":
    main()
