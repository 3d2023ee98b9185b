"""`twotower check`: params.yaml and the data, before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.paths import PARAMS, repository_root
from twotower.common.printable import printable_lines
from twotower.common.progress import step


@app.command(epilog=examples("twotower check", "twotower check --data-root my/shop"))
def check(
    data_root: Annotated[
        str | None, typer.Option(help="Folder of raw files, instead of data.root.")
    ] = None,
    params: Annotated[Path, typer.Option(help="File of parameters.")] = PARAMS,
) -> None:
    """Check params.yaml, the data and dvc.lock; run and write nothing.

    Reads and splits the raw files as the prepare stage would, guard rails included, with the same
    messages and the same summary.
    """
    with loading():
        from twotower.config import load_config
        from twotower.config.params import stated_secrets
        from twotower.data.prepared import PREPARED
        from twotower.evaluation.item_groups import check_objectives, names_group
        from twotower.ingest.data_profile import LAST_RUN
        from twotower.ingest.prepare import examine
        from twotower.ingest.summary import summary
        from twotower.ingest.untracked import untracked_note
        from twotower.project.record import say_version
        from twotower.verification.locked import check_lock

    say_version()
    check_lock(params.parent)
    config = load_config(params, {} if data_root is None else {"data.root": data_root})
    with step("check"):
        prepared = examine(config, PREPARED, LAST_RUN)
        if any(map(names_group, config.hpo.directions)):
            from twotower.evaluation.held_out import HeldOut  # imports torch

            names = ("train", "validation_history", "validation")
            splits = prepared.splits
            rows = [splits[name] for name in names]
            exclude_seen = config.evaluate.exclude_seen
            held_out = HeldOut.of(prepared.catalogue, *rows, exclude_seen=exclude_seen)
            check_objectives(config.hpo.directions, held_out.groups(config))
    typer.echo(printable_lines(summary(prepared.report)))
    if note := untracked_note(Path(config.data.root), repository_root()):
        typer.echo(f"note: {note}")
    for line in stated_secrets(config):
        typer.echo(f"warning: {line}")
    typer.echo(f"{params} and the data are valid; nothing was written")
