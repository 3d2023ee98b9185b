"""`twotower registry`: versions of the model in MLflow's registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.progress import step

if TYPE_CHECKING:
    from twotower.registry.versions import Registry

METRICS = Path("metrics/test.json")
STAYS, INCOMPARABLE = 3, 4
"""Exit statuses of promote."""

registry = typer.Typer(
    no_args_is_help=True,
    help="Versions of the model in MLflow's registry.",
)
app.add_typer(registry, name="registry")


def _open() -> "Registry":
    with loading():
        from twotower.common.paths import repository_root
        from twotower.config import load_config
        from twotower.registry.versions import Registry

    with step("connecting to MLflow"):
        return Registry(load_config().mlflow, repository_root())


@registry.command()
def register() -> None:
    """Register .artifacts_best/ as a new version, the candidate.

    A model that is registered already keeps its version.
    """
    with loading():
        from twotower.artifacts import ARTIFACTS
        from twotower.data.prepared import PREPARED
        from twotower.registry.register import register as register_model

    store = _open()
    with step("register"):
        version, is_new = register_model(store, ARTIFACTS, PREPARED, METRICS)
    named = f"version {version} of {store.name}"
    if is_new:
        typer.echo(f"registered {ARTIFACTS} as {named}: candidate")
    else:
        typer.echo(f"{ARTIFACTS} is {named} already: candidate")


@registry.command(
    epilog=examples(
        "twotower registry promote",
        "twotower registry promote --version 3    # back to an earlier one",
    )
)
def promote(
    version: Annotated[
        int | None, typer.Option(help="Version to promote, instead of the candidate.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote whatever the comparison says; recorded.")
    ] = False,
) -> None:
    """Make the candidate the champion if it beats the current one.

    Both are scored on the candidate's test split; the verdict's test, at mlflow.alpha, decides.

    Exit status: 0 if the version is the champion now; 3 if the champion stays; 4 if the two cannot
    be compared (one was trained on test rows, say); 1 for other errors.
    """
    from twotower.common.errors import ComparisonError

    with loading():
        from twotower.config import load_config
        from twotower.registry.promote import promote as promote_version

    store = _open()
    try:
        with step("promote"):
            decision = promote_version(load_config(), store, version, force=force)
    except ComparisonError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(INCOMPARABLE) from None
    if decision.comparison is not None:
        typer.echo(str(decision.comparison))
        if note := decision.comparison.note:
            typer.echo(f"note: {note}")
    verdict = "is the champion" if decision.promoted else "stays a candidate"
    verdict += ", by force" * decision.forced
    typer.echo(f"version {decision.version} of {store.name} {verdict}: {decision.reason}")
    raise typer.Exit(0 if decision.promoted else STAYS)


@registry.command(
    epilog=examples(
        "twotower registry fetch --out served",
        "twotower registry fetch --out challenger --version 2",
    )
)
def fetch(
    out: Annotated[Path, typer.Option(help="Folder to put the model in; replaced as a whole.")],
    version: Annotated[
        int | None, typer.Option(help="Version to download, instead of the champion.")
    ] = None,
) -> None:
    """Download the champion's model folder, to be served.

    The folder is replaced only if another version has become the champion.
    """
    with loading():
        from twotower.registry.fetch import fetch as fetch_model

    store = _open()
    with step("fetch"):
        number, is_new = fetch_model(store, out, version)
    typer.echo(f"{out} holds version {number} of {store.name} {'now' if is_new else 'already'}")


@registry.command("list")
def list_versions() -> None:
    """List the versions, the latest first.

    Each with its aliases, and with what its promotion was decided by.
    """
    store = _open()
    with step("list"):
        versions = store.versions()
    for version in versions:
        aliases = ", ".join(sorted(version.aliases)) or "-"
        promotion = version.tags.get("twotower.promotion", "")
        typer.echo(f"{version.version:>4}  {aliases:<20}  {promotion}")
