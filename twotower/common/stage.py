"""How a stage is run."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twotower.common.display import shown
from twotower.common.errors import ConfigError, one_line_errors
from twotower.common.interrupts import listening
from twotower.common.paths import PARAMS
from twotower.common.portable import pin

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
    with listening(), begun():
        main()


@contextmanager
def begun() -> Iterator[None]:
    """What every stage and command runs in: before it, libraries are pinned if params.yaml asks.

    A user's mistake ends it with one line, a bug with its traceback.
    """
    with one_line_errors(), shown():
        if _asks_for_portable():
            pin()
        yield


def _asks_for_portable() -> bool:
    from pydantic import TypeAdapter, ValidationError  # not for the help of the command line

    from twotower.common.yaml_file import read_yaml

    try:
        raw = read_yaml(PARAMS)
        asked = raw.get("portable", False) if isinstance(raw, dict) else False
        return TypeAdapter(bool).validate_python(asked)  # as the parameters read it: yes, on, 1
    except (ConfigError, OSError, ValidationError):  # whoever needs it says what is wrong with it
        return False
