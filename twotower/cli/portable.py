"""`twotower portable`: any program, with its numerical libraries pinned."""

import os
from typing import Annotated

import typer

from twotower.cli.app import app, examples
from twotower.common.errors import ConfigError
from twotower.common.portable import pin, why_not

ANYTHING = {"allow_interspersed_args": False, "ignore_unknown_options": True}
"""The program's options are its own."""


@app.command(
    context_settings=ANYTHING,
    epilog=examples(
        "twotower portable jupyter lab", "twotower portable dask worker tcp://host:8786"
    ),
)
def portable(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments.")],
) -> None:
    """Run a program whose numerical libraries use only what every x86-64 CPU with AVX2 has.

    Stages and commands of twotower do so themselves where params.yaml says portable: true. This is
    for what starts otherwise: a notebook, or a worker of dask.
    """
    if not pin():
        raise ConfigError(why_not())
    try:
        os.execvp(command[0], command)  # noqa: S606 - the user's own; there is no shell
    except OSError as error:
        msg = f"{command[0]}: {error.strerror}"
        raise ConfigError(msg) from None
