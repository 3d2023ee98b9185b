"""The command `twotower`; a module for each of its commands or groups of commands."""

from twotower.cli import (  # noqa: F401 - each adds its commands to the app
    add_items,
    check,
    compare,
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
from twotower.cli.app import app


def main() -> None:
    """Run the command line."""
    app()
