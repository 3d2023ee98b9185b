"""How a stage is run."""

import argparse
from collections.abc import Callable

from twotower.common.display import shown
from twotower.common.errors import one_line_errors

LOADING = "loading libraries"
"""The step in which a stage imports what takes seconds."""


def run_stage(main: Callable[[], None], description: str) -> None:
    """Run a stage that takes no arguments; `--help` and unknown ones end before it begins.

    Args:
        main: the stage.
        description: what `--help` says of it.
    """
    style = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=description, formatter_class=style).parse_args()
    with one_line_errors(), shown():
        main()
