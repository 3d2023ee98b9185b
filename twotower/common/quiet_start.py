"""Ctrl-C in the first lines of a command. Imports what Python has loaded already, and no more."""

import os
import sys

INTERRUPTED = "interrupted; what is finished is kept"


def quiet_start() -> None:
    """Have Ctrl-C end what is still being imported with one line, not with a traceback.

    Later on, `one_line_errors` does that.
    """
    usual = sys.excepthook

    def hook(kind, error, traceback):  # type: ignore[no-untyped-def]  # their types take an import
        if not issubclass(kind, KeyboardInterrupt):
            usual(kind, error, traceback)
            return
        print(INTERRUPTED, file=sys.stderr, flush=True)  # noqa: T201 - a command's own output
        os._exit(130)  # Python would end with another status

    sys.excepthook = hook
