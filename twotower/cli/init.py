"""`twotower init`: a project of one's own, without a clone of the repository."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.cli.inspect import data_root, look_at
from twotower.cli.params_file import read_commented, write_sections
from twotower.common.paths import PARAMS
from twotower.common.progress import step
from twotower.project.shell import quoted


@app.command(
    epilog=examples(
        "twotower init shop",
        "twotower init shop --data my/exports",
        "twotower init --upgrade    # in a project, after an upgrade of the package",
    )
)
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the project.")] = Path(),
    data: Annotated[
        Path | None, typer.Option(help="Folder of raw files, which twotower inspect looks at.")
    ] = None,
    weekly: Annotated[
        bool, typer.Option("--weekly", help="Also the GitHub workflow that retrains every week.")
    ] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Bring an older project to the installed version.")
    ] = False,
) -> None:
    """Begin a project of your own, without a clone.

    Writes params.yaml, the stages, and settings of git and DVC, and begins their repositories.
    What is in the folder stays; if a file of the project is there already, nothing is written.
    With --upgrade, files that init wrote and nobody has edited since are renewed, params.yaml gets
    the keys that the new stages need and it lacks, and what changes is said, file by file.
    """
    if upgrade and data is not None:
        msg = "--data cannot go with --upgrade; to look at a folder again: twotower inspect FOLDER"
        raise typer.BadParameter(msg)
    folder = folder.expanduser()
    with TemporaryDirectory(prefix="twotower-") as temporary:
        staged = Path(temporary)
        lines = (
            _upgrade(staged, folder, weekly=weekly)
            if upgrade
            else _create(staged, folder, data and data.expanduser(), weekly=weekly)
        )
        for line in lines:
            typer.echo(line)


def _create(staged: Path, folder: Path, data: Path | None, *, weekly: bool) -> Iterator[str]:
    with loading():
        from twotower.common.sources import installed_version
        from twotower.project.create import check_folder, create_project, stage_project
        from twotower.project.parts import RAW

    check_folder(folder, weekly=weekly)
    root = RAW if data is None else data_root(folder, data)
    parts = stage_project(staged, root, weekly=weekly)
    found = _write_data(staged / PARAMS, root, data)
    with step("project"):
        said = create_project(staged, folder, parts)
    if data is None:
        (folder / RAW).mkdir(parents=True, exist_ok=True)
    yield from found
    yield f"{folder}: a project of twotower {installed_version()}"
    yield from (f"  {line}" for line in said)
    yield "next:"
    yield from (f"  {command}" for command in _next(folder, root, has_data=data is not None))


def _write_data(params: Path, root: str, data: Path | None) -> list[str]:
    """Write the section `data`; lines of what was found in the raw files, if they are there."""
    from twotower.config import load_config

    content, found = read_commented(params), []
    if data is not None:
        from twotower.inspection.report import report

        content, proposal = look_at(data, root, params, load_config(params))
        found = [report(proposal), ""]
    content["data"]["root"] = root
    write_sections(params, content, ["data"], PARAMS.name)
    return found


def _next(folder: Path, root: str, *, has_data: bool) -> Iterator[str]:
    """Commands from a new project to its report."""
    if folder.resolve() != Path.cwd():
        yield f"cd {quoted(str(folder))}"
    if not has_data:
        yield f"twotower inspect {root}    # once your exports are there"
    yield "twotower check"
    if not Path(root).is_absolute():
        yield f"dvc add {quoted(root)}"
    yield from ("git add --all", 'git commit --message "A recommender"')
    yield from ("dvc repro", "git add --all", 'git commit --message "Results"', "twotower report")


def _upgrade(staged: Path, folder: Path, *, weekly: bool) -> Iterator[str]:
    from twotower.project.create import check_weekly
    from twotower.project.parts import WORKFLOW, write_parts
    from twotower.project.upgrade import recorded, root_in_params, upgrade_project

    if weekly:
        check_weekly(folder)
    weekly |= WORKFLOW in recorded(folder).files
    parts = write_parts(staged, root_in_params(folder), weekly=weekly)
    yield from upgrade_project(staged, folder, parts)
