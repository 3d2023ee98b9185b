"""`twotower finetune`: the model that the next run continues from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.errors import ConfigError
from twotower.common.progress import step

if TYPE_CHECKING:
    from twotower.finetuning.record import StartRecord

CHAMPION = "champion"


@app.command(
    epilog=examples(
        "twotower finetune --from champion",
        "twotower finetune --from .artifacts_best --epochs 2",
        "twotower finetune --reset",
    )
)
def finetune(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="champion|FOLDER",
            help="The champion of the registry, or a model folder whose data is still prepared.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=0, help="Epochs to train for; by default a third of those of training anew."
        ),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Search and train anew again.")] = False,
) -> None:
    """Continue from an earlier model instead of searching and training anew.

    Use it before the new data comes; then dvc repro. Writes data/start_model: the model, which DVC
    keeps, and start.json, on which the stages depend. Commit the folder to Git.
    """
    if reset == (source is not None) or (reset and epochs is not None):
        msg = "give either --from champion, --from FOLDER or --reset"
        raise ConfigError(msg)
    with loading():
        from twotower.finetuning.record import START
        from twotower.registry.start_from import forget_start

    if source is None:
        forget_start()
        typer.echo(f"{START} is empty: the next run searches and trains anew")
        return
    record = _start(source, epochs)
    named = source if record.version is None else f"version {record.version}"
    how = (
        f"trains for {record.epochs} epoch{'' if record.epochs == 1 else 's'} from its weights"
        if record.epochs
        else "computes its closed form anew and turns it to its vectors"
    )
    typer.echo(f"{START}: {named}; without a search, the next run {how}")


def _start(source: str, epochs: int | None) -> "StartRecord":
    with loading():
        from twotower.common.paths import repository_root
        from twotower.config import load_config
        from twotower.data.prepared import PREPARED
        from twotower.registry.start_from import start_from_champion, start_from_folder
        from twotower.registry.versions import Registry

    if source != CHAMPION:
        with step("model and data"):
            return start_from_folder(Path(source), PREPARED, epochs)
    with step("connecting to MLflow"):
        registry = Registry(load_config().mlflow, repository_root())
    with step("champion"):
        return start_from_champion(registry, epochs)
