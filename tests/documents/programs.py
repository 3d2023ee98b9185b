"""Command lines read by the parser of the program that they call, without running it."""

import argparse
import importlib.util
import re
import runpy
import shlex
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import run
from tests.conftest import REPOSITORY
from twotower.common.yaml_file import read_yaml
from twotower.config import load_config

OPERATOR = re.compile(r"[|&;()]+")
REDIRECTION = re.compile(r"[<>]+&?")
PLACEHOLDER = re.compile(r"<([a-z][\w -]*)>")
"""`<identity>`, which a reader replaces; a shell would read a file of that name."""
VARIABLE = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
STAGES = read_yaml(REPOSITORY / "dvc.yaml")["stages"]
OURS = ("benchmarks",)
"""Modules whose arguments argparse reads, and which import only what is installed."""


class UsageError(Exception):
    """A command line that its program would refuse."""


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each command that a line of shell runs, without variables and redirections.

    Raises:
        UsageError: if a quotation mark is missing, or a here-document is begun.
    """
    try:
        text = PLACEHOLDER.sub(r"\1", line)
        lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;()<>")
        lexer.whitespace_split = True
        tokens = list(lexer)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if "<<" in tokens:
        raise UsageError("show the text in a block of its own, not in a here-document")
    words: list[str] = []
    while tokens:
        token = tokens.pop(0)
        if OPERATOR.fullmatch(token):
            if words:
                yield words
            words = []
        elif REDIRECTION.fullmatch(token):
            tokens[:1] = []
            if words and words[-1].isdigit():  # of the file: 2>
                words.pop()
        elif words or not VARIABLE.fullmatch(token):
            words.append(token)
    if words:
        yield words


def check_line(line: str) -> None:
    """Let the programs of a line of shell read their arguments.

    Raises:
        UsageError: if one of them refuses them.
    """
    for words in simple_commands(line):
        check(words)


def check(words: list[str]) -> None:
    """Let the parser of the program read the words.

    Raises:
        UsageError: if it refuses them, or there is no such program in `PROGRAMS`.
    """
    name, *arguments = words
    if name in UNREAD:
        return
    if name not in PROGRAMS:
        msg = f"{name}: no such program in tests/documents/programs.py"
        raise UsageError(msg)
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            PROGRAMS[name](arguments)
    except SystemExit as ended:
        if ended.code:
            lines = said.getvalue().splitlines()
            raise UsageError(next((line for line in lines if "error" in line), lines[0])) from None


def twotower(arguments: list[str]) -> None:
    from typer.main import get_command

    from twotower.cli import app

    read_by_click(get_command(app), arguments)


def mlflow(arguments: list[str]) -> None:
    from mlflow.cli import cli

    read_by_click(cli, arguments)


def read_by_click(command: Any, arguments: list[str]) -> None:
    """Groups, options, number and types of arguments; no command is called."""
    context = None
    try:
        while True:
            context = command.make_context(command.name, list(arguments), parent=context)
            if not hasattr(command, "resolve_command"):
                return
            _, command, arguments = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
    except Exception as error:
        if not hasattr(error, "format_message"):
            if type(error).__name__ == "Exit":  # --help
                return
            raise
        raise UsageError(error.format_message()) from None


def dvc(arguments: list[str]) -> None:
    """Its own parser; stages must exist, and what -S makes of params.yaml must be valid."""
    from dvc.cli import DvcParserError, parse_args

    said = StringIO()
    try:
        with redirect_stdout(said):
            options = parse_args(arguments)
    except DvcParserError:  # what is wrong goes to DVC's log, wherever that leads
        raise UsageError(said.getvalue().partition("\n")[0]) from None
    name = options.func.__name__
    unknown = set(options.targets) - set(STAGES) if name in DVC_WITH_STAGES else set()
    if unknown:
        msg = f"dvc.yaml has no stage {', '.join(sorted(unknown))}"
        raise UsageError(msg)
    if overrides := getattr(options, "set_param", None):
        compose(overrides)


DVC_WITH_STAGES = ("CmdRepro", "CmdExperimentsRun")


def compose(overrides: list[str]) -> None:
    """What DVC does with -S, on a copy of params.yaml, which must then be valid."""
    from dvc.exceptions import InvalidArgumentError
    from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

    from twotower.common.errors import ConfigError

    for sweep in get_hydra_sweeps({"params.yaml": overrides}):
        with TemporaryDirectory() as folder:
            params = Path(folder, "params.yaml")
            params.write_bytes((REPOSITORY / "params.yaml").read_bytes())
            try:
                apply_overrides(params, sweep["params.yaml"])
                load_config(params)
            except (InvalidArgumentError, ConfigError) as error:
                msg = f"-S {' -S '.join(overrides)}: {error.__cause__ or error}"
                raise UsageError(msg) from None


def python(arguments: list[str]) -> None:
    """A script of the repository, or a module of it or of an installed package."""
    if not arguments or arguments[0] in ("-c", "--version"):
        return
    if arguments[0] == "run.py":
        read_by_run(arguments[1:])
    elif arguments[0] != "-m":
        script = REPOSITORY / arguments[0]
        if not script.is_file():
            msg = f"no file {arguments[0]}"
            raise UsageError(msg)
        if script.parent == REPOSITORY / "stages":
            read_by_argparse(script, arguments[1:])
    elif arguments[1] in ("twotower", "dvc", "mlflow"):
        PROGRAMS[arguments[1]](arguments[2:])
    else:
        read_by_module(arguments[1], arguments[2:])


def read_by_run(arguments: list[str]) -> None:
    command = run.parse(arguments)
    if arguments[:1] == ["--"]:
        check(command)


def read_by_module(name: str, arguments: list[str]) -> None:
    try:
        spec = importlib.util.find_spec(name)
        if spec and spec.submodule_search_locations:  # a package runs its __main__
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        msg = f"no module {name}"
        raise UsageError(msg)
    if name.startswith(OURS) and spec.origin:
        read_by_argparse(Path(spec.origin), arguments)


class ArgumentsReadError(BaseException):
    """Ends a script as soon as it has read its arguments; no handler of errors may catch it."""


def read_by_argparse(script: Path, arguments: list[str]) -> None:
    """Run a script until it has read its arguments."""
    own = argparse.ArgumentParser.parse_args

    def parse_and_end(parser: argparse.ArgumentParser, args: Any = None, _: Any = None) -> None:
        own(parser, args)
        raise ArgumentsReadError

    with (
        TemporaryDirectory() as folder,
        chdir(folder),  # should it not read them, it finds nothing to work on
        patch.object(argparse.ArgumentParser, "parse_args", parse_and_end),
        patch("sys.argv", [str(script), *arguments]),
    ):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except ArgumentsReadError:
            return
    msg = f"{script.name} does not read its arguments"
    raise UsageError(msg)


def pip(arguments: list[str]) -> None:
    """The extras of the package exist."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        known = tomllib.load(file)["project"]["optional-dependencies"]
    for argument in arguments:
        if ours := re.match(r"(?:\.|twotower)\[(.*)\]", argument):
            for extra in ours[1].split(","):
                if extra not in known:
                    msg = f"no extra {extra} in pyproject.toml"
                    raise UsageError(msg)


PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "twotower": twotower,
    "dvc": dvc,
    "python": python,
    "python3": python,
    "pip": pip,
    "mlflow": mlflow,
}
"""Whose options are read."""

UNREAD = {
    *(
        "cat",
        "cd",
        "cp",
        "curl",
        "echo",
        "head",
        "jq",
        "ls",
        "mkdir",
        "rm",
        "schemathesis",
        "tail",
        "unzip",
        "wc",
    ),
    *("createdb", "docker", "git", "helm", "kubectl", "psql", "sbatch", "squeue", "ssh"),
    *("dask", "jupyter", "optuna-dashboard", "mypy", "pytest", "ruff", "schemathesis"),
    *(".ci/run", ".ci/retrain", "export", "source"),
}
"""Programs of others, and ours without options."""
