"""`twotower verify`: the committed results, computed again."""

from pathlib import Path
from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.errors import TwoTowerError

DIFFERS, FAILED, INTERRUPTED = 1, 2, 130
"""Exit statuses."""


@app.command(epilog=examples("twotower verify", "twotower verify --keep ../again"))
def verify(
    keep: Annotated[
        Path | None,
        typer.Option(help="New folder for the clone, which then stays, to look at what differs."),
    ] = None,
) -> None:
    """Compute the committed results again, and say which outputs differ and by how much.

    Runs the whole pipeline of the current commit in a scratch clone: nothing that was computed
    before is used, and nothing here is changed. It takes as long as `dvc repro` did.

    Exit status: 0 if all outputs have the bytes that dvc.lock names; 1 if some differ; 2 if the
    pipeline cannot be run.
    """
    with loading():
        from twotower.verification.scratch import Checkout
        from twotower.verification.verify import verify as verify_commit

    try:
        checkout = Checkout.at(Path())
        if not checkout.is_clean:
            note = "tracked files have changes that are not committed; they are not part of it"
            typer.echo(f"note: the commit {checkout.commit[:10]} is verified; {note}")
        found = verify_commit(checkout, keep)
    except TwoTowerError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing has changed here", err=True)
        raise typer.Exit(INTERRUPTED) from None
    for line in found.lines():
        typer.echo(line)
    raise typer.Exit(0 if found.is_same else DIFFERS)
