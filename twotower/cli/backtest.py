"""`twotower backtest`: the pipeline at cut-offs in the past."""

from pathlib import Path
from typing import Annotated

import typer

from twotower.backtest import BACKTEST
from twotower.cli.app import app, examples, loading
from twotower.common.paths import check_place, repository_root


@app.command(
    epilog=examples(
        "twotower backtest --every 7d --folds 8",
        "twotower backtest --every 4w --folds 8 --n-trials 10",
    ),
)
def backtest(
    every: Annotated[
        str, typer.Option(help="Length of a test period: hours, days or weeks, as in 12h, 7d, 4w.")
    ] = "7d",
    folds: Annotated[
        int, typer.Option(min=1, help="Periods; the last one ends with the data.")
    ] = 8,
    n_trials: Annotated[
        int | None, typer.Option(min=1, help="Trials of each search, in place of hpo.n_trials.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder to write to; twotower report shows that of the default.")
    ] = BACKTEST,
) -> None:
    """Search, train and score at several times in the past, as if they were today.

    Each fold is cut at one moment: what came before it is searched and trained on, the period after
    it is the test. It answers how often to retrain, whether tuning is worth it, and whether the
    verdict holds in other periods. Folds are kept in .hpo/backtest/: a run that was interrupted
    goes on where it was.
    """
    with loading():
        from twotower.backtest.outputs import write_backtest
        from twotower.backtest.periods import period_seconds
        from twotower.backtest.run import backtest as run
        from twotower.backtest.wording import sentences
        from twotower.common.interrupts import listening
        from twotower.config import load_config

    check_place(out / "backtest.json")
    seconds = period_seconds(every)
    config = load_config(overrides={} if n_trials is None else {"hpo.n_trials": n_trials})
    with listening():
        content = run(config, seconds, folds, repository_root())
    write_backtest(out, content)
    typer.echo()
    for line in sentences(content):
        typer.echo(line)
    typer.echo(f"files: {out.as_posix()}/; twotower report shows them")
