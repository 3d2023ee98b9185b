"""`twotower report`: one offline page of a finished pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.paths import REPORT
from twotower.common.progress import step


@app.command(epilog=examples("twotower report", "twotower report --out shop.html --anonymous"))
def report(
    out: Annotated[Path, typer.Option(help="File to write.")] = REPORT,
    anonymous: Annotated[
        bool,
        typer.Option("--anonymous", help="Number the users that are shown, without their ids."),
    ] = False,
) -> None:
    """Write one page of the finished pipeline, to be opened offline and sent on.

    Verdict and next step, the model against every baseline, the search, the data, a map of the
    items, and ten users with their histories and recommendations. Run it after dvc pull, or after
    a commit of what dvc repro, which writes it too, has found.
    """
    with loading():
        from twotower.report import write_report

    with step("report"):
        write_report(out, anonymous=anonymous)
    typer.echo(f"report: {out.absolute()}")
