"""Stage `prepare`: raw files → data/prepared/ and metrics/data.json, as params.yaml says."""

from pathlib import Path

from twotower.common.errors import one_line_errors
from twotower.config import load_config
from twotower.data.prepared import PREPARED
from twotower.ingest import prepare
from twotower.ingest.guard import LAST_RUN
from twotower.ingest.report import summary

METRICS = Path("metrics/data.json")


def main() -> None:
    """Run the stage in the current directory."""
    with one_line_errors():
        report = prepare(load_config(), PREPARED, METRICS, LAST_RUN)
        print(summary(report))


if __name__ == "__main__":
    main()
