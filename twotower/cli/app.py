"""The root of the command line: its help, its version, and how errors end it.

Modules of commands import what they run only inside the command: torch, mlflow and pandas take
seconds, and `twotower --help` should not.
"""

from contextlib import AbstractContextManager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from twotower.common.progress import step
from twotower.common.stage import LOADING, begun


class Commands(TyperGroup):
    """All commands: a user's mistake ends them with one line, a bug with its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was given."""
        with begun():
            return super().invoke(ctx)


app = typer.Typer(
    name="twotower",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: errors stay on one line, in logs too
    context_settings={"help_option_names": ["-h", "--help"]},
)


NO_VERIFY = typer.Option(
    "--no-verify",
    help="Do not compare the model's files with their hashes: it opens faster, and what a damaged "
    "folder answers is anybody's guess. Only for a folder of your own.",
)
"""Of the commands that read a model folder."""


def loading() -> AbstractContextManager[object]:
    """Shows that what a command runs is imported."""
    return step(LOADING)


def examples(*lines: str) -> str:
    """Command lines, as the end of a help page."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"twotower {version('twotower')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Check, compare, serve and retrain a two-tower recommender.

    The pipeline itself is run by `dvc repro`: it prepares the data, searches hyperparameters, fits
    the final model and draws plots, as params.yaml says. These commands are for before and after.
    Run them in the root of a project (twotower init) or of the repository.
    """
    del version
