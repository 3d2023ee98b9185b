"""What a new run takes over from the last one, as files that stages can depend on.

    python -m twotower.retraining start    # before the new data comes
    python -m twotower.retraining reset    # take over nothing

`start` writes data/warm_start.json, the best trials of hpo_study.db, with which the next study
begins, and data/last_run.json, the profile of data/prepared/, with which the guard rails compare
the next data. Both belong into git.
"""

from pathlib import Path

from twotower.common.console import command_parser, one_line_errors, say
from twotower.common.files import write_json
from twotower.data.prepared import PREPARED, SPLITS, read_split
from twotower.ingest.guard import LAST_RUN, profile, write_last_run
from twotower.search.warm_start import EMPTY, WARM_START, write_warm_start

SNAPSHOT = Path("hpo_study.db")
TOP = 5


def start(top: int) -> None:
    """Take over from the outputs of the last run in the current directory.

    Args:
        top: number of trials that the next study begins with.

    Raises:
        SearchError: if there is no study.
        DataError: if there is no prepared data.
    """
    data = profile({name: read_split(PREPARED / f"{name}.parquet") for name in SPLITS})
    trials = write_warm_start(WARM_START, SNAPSHOT, top)
    write_last_run(LAST_RUN, data)
    say(f"{WARM_START}: the {trials} best trials of {SNAPSHOT}")
    say(f"{LAST_RUN}: {data.rows:,} rows, {data.users:,} users, {data.items:,} items")


def reset() -> None:
    """Take over nothing: no warm start, no guard rails."""
    write_json(WARM_START, EMPTY)
    write_last_run(LAST_RUN, None)
    say(f"{WARM_START} and {LAST_RUN} are empty")


def main() -> None:
    """Run the command in the current directory."""
    parser = command_parser("twotower.retraining", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("start", help="before the new data comes")
    command.add_argument(
        "--top", type=int, default=TOP, help=f"trials of the warm start (default {TOP}; 0: none)"
    )
    commands.add_parser("reset", help="take over nothing")
    arguments = parser.parse_args()
    if arguments.command == "reset":
        reset()
        return
    if arguments.top < 0:
        command.error("--top: must not be negative")
    start(arguments.top)


if __name__ == "__main__":
    with one_line_errors():
        main()
