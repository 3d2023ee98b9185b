"""`twotower retrain`: what a new run takes over from the last one, as files stages can depend on.

`data/warm_start.json` holds the best trials of the last study, with which the next one begins;
`data/last_run.json` the profile of its data, with which the guard rails compare the next data.
"""

from pathlib import Path
from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.progress import step

SNAPSHOT = Path("hpo_study.db")
TOP = 5

retrain = typer.Typer(
    no_args_is_help=True,
    help="What a run carries over from the last one.",
)
app.add_typer(retrain, name="retrain")


@retrain.command(epilog=examples("twotower retrain start", "twotower retrain start --top 0"))
def start(
    top: Annotated[
        int, typer.Option(min=0, help="Number of best trials to start the next study with.")
    ] = TOP,
) -> None:
    """Carry over from the last run; use it before the new data comes.

    Writes data/warm_start.json (the best trials of hpo_study.db, with which the next study begins)
    and data/last_run.json (a profile of data/prepared/, with which the guard rails compare the
    next data). Commit both to Git.
    """
    with loading():
        from twotower.data.prepared import PREPARED
        from twotower.ingest.data_profile import LAST_RUN, read_profile, write_last_run
        from twotower.search.warm_start import WARM_START, write_warm_start

    with step("reading the last run"):
        data = read_profile(PREPARED)
        trials = write_warm_start(WARM_START, SNAPSHOT, top)
    write_last_run(LAST_RUN, data)
    typer.echo(f"{WARM_START}: the {trials} best trials of {SNAPSHOT}")
    typer.echo(f"{LAST_RUN}: {data.rows:,} rows, {data.users:,} users, {data.items:,} items")


@retrain.command()
def reset() -> None:
    """Carry over nothing: empty both files, so no warm start and no guard rails."""
    with loading():
        from twotower.common.files import write_json
        from twotower.ingest.data_profile import LAST_RUN, write_last_run
        from twotower.search.warm_start import EMPTY, WARM_START

    write_json(WARM_START, EMPTY)
    write_last_run(LAST_RUN, None)
    typer.echo(f"{WARM_START} and {LAST_RUN} are empty")
