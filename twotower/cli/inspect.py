"""`twotower inspect`: looks at a folder of exports and writes the section that reads them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twotower.cli.app import app, examples, loading
from twotower.cli.params_file import read_commented, section_text, write_sections
from twotower.common.paths import PARAMS

if TYPE_CHECKING:
    from twotower.config import Config
    from twotower.inspection.proposal import Proposal


@app.command(
    epilog=examples("twotower inspect my/exports", "twotower inspect my/exports --print"),
)
def inspect(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of raw files.")],
    show: Annotated[
        bool, typer.Option("--print", help="Only show the section; change no file.")
    ] = False,
    params: Annotated[Path, typer.Option(help="File to change.")] = PARAMS,
) -> None:
    """Find out what a folder of exports holds, and write that into params.yaml.

    Which file is what, how text and times are written, which column is what, types of events and
    side features, and what is not sure. All keys of `data` that concern files are replaced;
    comments and all other keys stay. Only the beginning of large files is read.
    """
    with loading():
        from twotower.config import load_config
        from twotower.data.splits import SPLIT_STRATEGIES
        from twotower.inspection.report import report

    config = load_config(params)
    folder = folder.expanduser()
    content, proposal = look_at(folder, data_root(Path(), folder), params, config)
    if show:
        typer.echo(section_text(content, "data"), nl=False)
        return
    typer.echo(report(proposal))
    write_sections(params, content, ["data"], str(params))
    typer.echo(f"\n{params}: the section data is written; next: twotower check")
    if SPLIT_STRATEGIES[config.split.strategy].is_given:
        typer.echo("split.strategy: given is as it was: it must name a split of this folder")


def data_root(project: Path, folder: Path) -> str:
    """`data.root`: relative inside the project, so that it can move; elsewhere absolute."""
    root, home = (Path(os.path.abspath(path)) for path in (folder, project))  # noqa: PTH100 - links stay
    return (root.relative_to(home) if root.is_relative_to(home) else root).as_posix()


def look_at(folder: Path, root: str, params: Path, config: "Config") -> "tuple[Any, Proposal]":
    """What a folder holds, and the content of params.yaml with the section that reads it.

    Args:
        folder: of raw files.
        root: the folder, as params.yaml shall name it.
        params: file of parameters; nothing is written yet.
        config: that it has now.

    Raises:
        DataError: if there is no such folder, or no file of interactions in it.
    """
    from twotower.ingest.snapshot import fetched_here
    from twotower.inspection.commented_yaml import apply_settings
    from twotower.inspection.proposal import propose
    from twotower.inspection.settings import of_fetched

    proposal = propose(folder, root, config.data)
    content = read_commented(params)
    settings = of_fetched(proposal.settings, fetched_here(folder, config.data))
    apply_settings(content, "data", settings)
    return content, proposal
