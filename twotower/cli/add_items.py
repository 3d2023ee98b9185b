"""`twotower add-items`: a model folder with items that came after training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import NO_VERIFY, app, examples, loading
from twotower.common.errors import ConfigError
from twotower.common.paths import ARTIFACTS, check_place
from twotower.common.progress import step

if TYPE_CHECKING:
    from twotower.artifacts import Artifacts
    from twotower.new_items.read import NewItems


@app.command(
    "add-items",
    epilog=examples(
        "twotower add-items new_items.csv --output served",
        "twotower add-items more.csv --artifacts served --output served    # and more",
        "twotower serve --artifacts served",
    ),
)
def add_items(
    *,
    items: Annotated[
        Path,
        typer.Argument(
            metavar="ITEMS",
            help="Table of the new items, in any format that `prepare` reads: their ids, and "
            "columns of the features that the model was trained with.",
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="Model folder to write; replaced as a whole if it is one already.")
    ],
    artifacts: Annotated[Path, typer.Option(help="Model folder to add to.")] = ARTIFACTS,
    no_verify: Annotated[bool, NO_VERIFY] = False,
) -> None:
    """Write a copy of a model that has further items, by their side features.

    Nothing is trained. The file is read as section `data` of params.yaml says of the items table.
    All that reads a model folder then knows the items: recommend, serve, Recommender.load.
    """
    _check_output(output)
    with loading():
        from twotower.artifacts import load_artifacts
        from twotower.new_items.encode import check_reads_features
        from twotower.new_items.grow import with_items, write_with_items

    with step("reading the model"):
        # Not mapped, as the output may be the same folder, which Windows could not replace.
        model = load_artifacts(artifacts, mmap=False, verify=not no_verify)
        check_reads_features(model)
    with step(f"reading {items}"):
        new = _read(items, model)
    with step(f"writing {output}"):
        larger = with_items(model, new.ids, new.features)
        write_with_items(output, larger)
    _report(output, new, larger)


def _check_output(output: Path) -> None:
    from twotower.common.folders import is_replaceable

    check_place(output)
    if output.resolve() == ARTIFACTS.resolve():
        msg = (
            f"{output}: holds what the last refit made, and DVC would find it changed; choose "
            "another folder for --output"
        )
        raise ConfigError(msg)
    if not is_replaceable(output, "model_meta.json"):
        msg = f"{output}: is not a model folder, so it is not replaced"
        raise ConfigError(msg)


def _read(path: Path, model: "Artifacts") -> "NewItems":
    from twotower.config.params import data_section
    from twotower.ingest.problems import Problems
    from twotower.new_items.read import open_items, read_new_items

    config = data_section()
    return read_new_items(open_items(path, config), config, model.catalogue.items, Problems())


def _report(output: Path, new: "NewItems", larger: "Artifacts") -> None:
    from twotower.ingest.row_check import describe

    num_items, added, cold = len(larger.item_ids), len(new.ids), larger.num_items_cold
    lines = [f"items added: {added:,}; now {num_items:,}, of which {cold:,} have no interactions"]
    if new.missing:
        lines.append(f"features without a column, so missing: {', '.join(new.missing)}")
    for what, counts in (
        ("cells with a category that the model does not have", new.unknown),
        ("rows dropped", new.dropped),
        ("cells dropped", new.blanked),
    ):
        if some := {name: count for name, count in counts.items() if count}:
            lines.append(f"{what}: {describe(some)}")
    for line in lines:
        typer.echo(f"{output}: {line}", err=True)
