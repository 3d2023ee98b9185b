"""Scripts whose first lines run again in each process that a search starts."""

import ast
import linecache
import multiprocessing
import multiprocessing.spawn
import sys
from typing import TYPE_CHECKING

from twotower.common.errors import ConfigError

if TYPE_CHECKING:
    from twotower.config.hpo import HpoConfig

RULE = (
    "hpo.workers: its processes run this script again; "
    "put the call below `if __name__ == '__main__':`"
)
DIED = "its worker died in each of"


def starts_processes(hpo: "HpoConfig") -> bool:
    """Whether a search needs other processes of this machine; one alone can do without."""
    if hpo.executor == "dask":
        return hpo.dask.address is None
    if hpo.workers in ("auto", 1):
        return hpo.timeout_grace is not None
    return hpo.workers != 0


def check_script(hpo: "HpoConfig") -> None:
    """Refuse a search in processes that would each begin it again.

    Raises:
        ConfigError: if the call is in no `if` of the script.
    """
    if not (starts_processes(hpo) and _runs_again()):
        return
    statement = _statement()
    if statement is not None and not isinstance(statement, ast.If):
        raise ConfigError(RULE)


def stop_if_run_again() -> None:
    """End a process that the search of this very script has started; the search says why."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # it imports the script
        raise SystemExit(1)


def hint(error: str) -> str:
    """What to add to an error: whatever `check_script` overlooks makes the processes end."""
    if DIED not in error or not _runs_again():
        return ""
    statement = _statement()
    is_guarded = isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)
    return "" if statement is None or is_guarded else f"; {RULE}"


def _runs_again() -> bool:
    """Whether a new process imports the script; there is none in a notebook or a console."""
    told = multiprocessing.spawn.get_preparation_data("")
    return not told.keys().isdisjoint({"init_main_from_name", "init_main_from_path"})


def _statement() -> ast.stmt | None:
    """The outermost statement of the script that is under way; None if that is not known."""
    names, frame = vars(sys.modules["__main__"]), sys._getframe()
    while frame.f_code.co_name != "<module>" or frame.f_globals is not names:
        if frame.f_back is None:
            return None
        frame = frame.f_back
    body = ast.parse("".join(linecache.getlines(frame.f_code.co_filename))).body
    under_way = (node for node in body if node.lineno <= frame.f_lineno <= (node.end_lineno or 0))
    return next(under_way, None)
