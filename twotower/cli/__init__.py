"""The command `twotower`; a module for each of its commands or groups of commands."""

from twotower.common.quiet_start import quiet_start

quiet_start()

from twotower.cli import (  # noqa: E402, F401 - each adds its commands to the app
    ab,
    add_items,
    backtest,
    check,
    compare,
    export,
    fetch,
    finetune,
    init,
    inspect,
    portable,
    preset,
    recommend,
    registry,
    report,
    retrain,
    serve,
    tracking,
    verify,
)
from twotower.cli.app import app  # noqa: E402


def main() -> None:
    """Run the command line."""
    app()
