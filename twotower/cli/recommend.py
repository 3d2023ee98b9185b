"""`twotower recommend`: recommendations for many users at once, into one file."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import NO_VERIFY, app, examples, loading
from twotower.common.errors import ConfigError
from twotower.common.paths import ARTIFACTS
from twotower.common.progress import step

if TYPE_CHECKING:
    from twotower.serving import Recommender
    from twotower.serving.batch import BatchJob


@app.command(
    epilog=examples(
        "twotower recommend --users all --k 20 --out recs.parquet",
        "twotower recommend --users some.csv --out recs.csv",
        "twotower recommend --history new_users.csv --out recs.parquet",
        "twotower recommend --users all --diversity 0.3 --max-per brand=2 --out recs.parquet",
    ),
)
def recommend(
    *,
    out: Annotated[
        Path, typer.Option(help="File to write, .parquet or .csv: user_id, rank, item_id, score.")
    ],
    users: Annotated[
        str | None,
        typer.Option(
            help="'all' for every user the model knows, or a file that has a column of users, in "
            "any format that `prepare` reads (see twotower's docs/data.md), or text with one id "
            "per line."
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Instead of --users, for new users: a file, in any format that `prepare` reads, "
            "with columns of users and items. A column of times orders the items; without one, the "
            "rows do. Only these histories are used, not what the model knows of the users."
        ),
    ] = None,
    k: Annotated[int, typer.Option(help="Number of items per user.")] = 10,
    artifacts: Annotated[Path, typer.Option(help="Model folder.")] = ARTIFACTS,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also recommend items of the user's history.")
    ] = False,
    diversity: Annotated[
        float,
        typer.Option(help="From 0, the best items, to 1, the best and what differs most from it."),
    ] = 0.0,
    max_per: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE=NUMBER",
            help="At most so many items per value of a categorical or multi-valued feature of the "
            "items; may be repeated.",
        ),
    ] = None,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Search the index that refit.index made.")
    ] = False,
    no_verify: Annotated[bool, NO_VERIFY] = False,
) -> None:
    """Write recommendations for many users to one file.

    The file appears when it is complete. Memory does not grow with the number of users. Files of
    users are read as section `data` of params.yaml says, where there is one: separator, encoding,
    names of columns and so on.
    """
    if (not users) == (history is None):
        msg = "give exactly one of them"
        raise typer.BadParameter(msg, param_hint="--users / --history")
    with loading():
        from twotower.retrieval.rerank import parse_caps
        from twotower.serving import Recommender
        from twotower.serving.batch import write_batch

    caps = parse_caps(max_per or [])
    if users != "all":
        _check_apart(out, history or Path(str(users)))
    with step("reading the model"):
        model = Recommender.load(artifacts, approximate=approximate, verify=not no_verify)
    batch = replace(
        _batch(model, users, history, k, exclude_seen=not include_seen),
        diversity=diversity,
        max_per=caps,
    )
    sources = write_batch(model, batch, out, say=lambda line: typer.echo(f"note: {line}", err=True))
    counts = ", ".join(f"{count} by {source}" for source, count in sources.items()) or "none"
    typer.echo(f"{out}: users: {counts}", err=True)


def _batch(
    model: "Recommender", users: str | None, history: Path | None, k: int, *, exclude_seen: bool
) -> "BatchJob":
    from twotower.config.params import data_section
    from twotower.ingest.row_check import describe
    from twotower.serving.batch import BatchJob
    from twotower.serving.user_files import read_histories, read_ids

    artifacts = model.artifacts
    if history is not None:
        path = history
        with step(f"reading {path}"):
            read = read_histories(path, artifacts.item_ids, data_section())
    elif users is not None and users != "all":
        path = Path(users)
        with step(f"reading {path}"):
            read = read_ids(path, artifacts.user_ids, data_section())
    else:
        return BatchJob(artifacts.user_ids, None, k, exclude_seen)
    if any(read.dropped.values()):
        typer.echo(f"{path}: rows dropped: {describe(read.dropped)}", err=True)
    return BatchJob(read.ids, read.histories, k, exclude_seen)


def _check_apart(out: Path, read: Path) -> None:
    """Refuse to replace a file that is read."""
    from twotower.ingest.open_file import part_files

    if out.exists() and any(out.samefile(part) for part in part_files(read)):
        msg = f"{out}: holds the users to recommend for, and would be replaced; change --out"
        raise ConfigError(msg)
