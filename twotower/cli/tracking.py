"""`twotower tracking`: what MLflow lacks."""

from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.progress import say, step

tracking = typer.Typer(no_args_is_help=True, help="Trials in MLflow.")
app.add_typer(tracking, name="tracking")


@tracking.command(
    epilog=examples(
        "twotower tracking sync",
        "twotower tracking sync --tracking-uri http://mlflow:5000",
    )
)
def sync(
    tracking_uri: Annotated[
        str | None,
        typer.Option(help="MLflow store to log to, instead of the one the search was given."),
    ] = None,
    experiment_name: Annotated[
        str | None,
        typer.Option(help="MLflow experiment, instead of the one the search was given."),
    ] = None,
) -> None:
    """Log the finished trials that MLflow lacks.

    Goes through every tracked study in .hpo/, and hpo_study.db. Nothing is logged twice, so it can
    run at any time, also while a search is running.
    """
    with loading():
        from twotower.common.paths import repository_root
        from twotower.config import load_config
        from twotower.tracking.mlflow_store import COMMAND_PATIENCE, configure_environment

    options = {"mlflow.tracking_uri": tracking_uri, "mlflow.experiment": experiment_name}
    overrides = {key: value for key, value in options.items() if value is not None}
    config = load_config(overrides=overrides)
    configure_environment(COMMAND_PATIENCE)
    with loading():
        from twotower.tracking.sync import sync as sync_studies

    with step("sync"):
        logged = sync_studies(config, repository_root(), say, config.mlflow if overrides else None)
    typer.echo(f"{logged} trial{'' if logged == 1 else 's'} logged")


@tracking.command()
def relocate() -> None:
    """Let mlflow.db name the artifacts of this checkout after it was moved or copied.

    MLflow keeps absolute paths. Only those below the mlruns/ of the earlier place change, all in
    one transaction; what was logged there since a copy was made is copied to this one's mlruns/.
    """
    with loading():
        from twotower.common.paths import repository_root
        from twotower.config import load_config
        from twotower.tracking.mlflow_store import configure_environment, store_uri
        from twotower.tracking.relocate import relocate as relocate_store

    root = repository_root()
    configure_environment()
    with step("relocate"):
        done = relocate_store(store_uri(load_config().mlflow.tracking_uri, root), root)
    if not done.places:
        typer.echo("nothing to relocate: the store names no earlier place of this checkout")
        return
    places = ", ".join(map(str, done.places))
    typer.echo(f"{done.changed} locations changed from {places} to {root.absolute() / 'mlruns'}")
    if done.copied:
        typer.echo(f"{done.copied} folders copied that were only there")
