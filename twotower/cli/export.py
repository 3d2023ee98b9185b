"""`twotower export`: the vectors of a model, for vector databases and other libraries."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from twotower.cli.app import NO_VERIFY, app, examples, loading
from twotower.common.errors import ConfigError
from twotower.common.paths import ARTIFACTS
from twotower.common.progress import step
from twotower.export.destination import DESTINATIONS, Destination, Place, TowersFormat


class Vectors(StrEnum):
    """Whose vectors."""

    ITEMS = "items"
    USERS = "users"


@app.command(
    epilog=examples(
        "twotower export --to parquet --output items",
        "twotower export --to qdrant --url http://localhost:6333",
        "twotower export --to pgvector --url postgresql://me@localhost/shop --name shop_items",
        "twotower export --to pgvector --url postgresql://me@localhost/shop --vectors users",
    ),
)
def export(
    *,
    to: Annotated[str, typer.Option(metavar="|".join(DESTINATIONS), help="What to export to.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to write; replaced as a whole if it is an export already."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Of a database, without passwords and keys: they are read from the environment "
            "(see twotower's docs/export.md)."
        ),
    ] = None,
    vectors: Annotated[
        Vectors | None,
        typer.Option(
            help="Items to be searched, or the users to search for.",
            show_default=Vectors.ITEMS.value,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Of the alias or view that readers ask for; what it leads to has the version "
            "behind the name.",
            show_default="as --vectors",
        ),
    ] = None,
    artifacts: Annotated[Path, typer.Option(help="Model folder.")] = ARTIFACTS,
    titles: Annotated[
        Path | None,
        typer.Option(
            help="What items are called, as prepare wrote it.",
            show_default="data/prepared/titles.parquet, if it is there",
        ),
    ] = None,
    no_verify: Annotated[bool, NO_VERIFY] = False,
) -> None:
    """Write a model's vectors to files or to a vector database, with ids and what is filtered by.

    Readers never see a half-filled collection: they ask for the name, and it leads to the new
    version once all rows are there. An export that was cut short goes on where it was; one that is
    there already is not written again.
    """
    row = _destination(to)
    place = _place(row, output, url)
    whose = (vectors or Vectors.ITEMS).value
    of_rows = {"--vectors": vectors, "--name": name, "--titles": titles}
    if isinstance(row, TowersFormat):
        _refuse(f"--to {row.name}", of_rows)
    elif vectors is Vectors.USERS:
        _refuse("--vectors users", {"--titles": titles})
    with loading():
        from twotower.export.run import export_rows, make_rows, needing, open_model

    with step("reading the model"):
        model, version = open_model(artifacts, verify=not no_verify)
    if isinstance(row, TowersFormat):
        typer.echo(needing(row, row.write, model, Path(place)), err=True)
        return
    with step("reading the rows"):
        titles = titles or _default_titles()
        rows = make_rows(model, version, whose, name or whose, titles)
    export_rows(rows, row, place, artifacts, say=lambda line: typer.echo(line, err=True))


def _destination(name: str) -> Destination | TowersFormat:
    try:
        return DESTINATIONS[DESTINATIONS.check(name)]
    except ValueError as error:
        msg = f"--to {error}"
        raise ConfigError(msg) from None


def _place(row: Destination | TowersFormat, output: Path | None, url: str | None) -> str:
    """The one of the two options that the destination needs, without the other.

    Raises:
        ConfigError: naming the option that is missing or too many.
    """
    wanted = row.place if isinstance(row, Destination) else Place.FOLDER
    given = {Place.FOLDER: None if output is None else str(output), Place.URL: url}
    place = given.pop(wanted)
    if not place or any(other is not None for other in given.values()):
        msg = f"--to {row.name} needs {wanted.value}, and no {next(iter(given)).value}"
        raise ConfigError(msg)
    return place


def _refuse(choice: str, options: Mapping[str, object]) -> None:
    """Name an option that was given, but says nothing of what is exported."""
    for option, value in options.items():
        if value is not None:
            msg = f"{choice} takes no {option}"
            raise ConfigError(msg)


def _default_titles() -> Path | None:
    from twotower.data.prepared import PREPARED
    from twotower.ingest.titles import TITLES

    path = PREPARED / TITLES
    return path if path.exists() else None
