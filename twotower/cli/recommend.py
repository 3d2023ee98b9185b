"""`twotower recommend`: recommendations for many users at once, into one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twotower.cli.app import app, examples
from twotower.common.paths import ARTIFACTS

if TYPE_CHECKING:
    from twotower.artifacts import Id, IdColumn
    from twotower.serving import Recommender
    from twotower.serving.batch import BatchJob


@app.command(
    epilog=examples(
        "twotower recommend --users all --k 20 --out recs.parquet",
        "twotower recommend --users some.csv --out recs.csv",
        "twotower recommend --history new_users.csv --out recs.parquet",
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
            help="'all' for every user the model knows, or a file of user ids: .csv or .parquet "
            "with a column user_id, or text with one id per line."
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Instead of --users, for new users: .csv or .parquet with columns user_id and "
            "item_id, each user's items in order of time. Only these histories are used, not what "
            "the model knows of the users."
        ),
    ] = None,
    k: Annotated[int, typer.Option(help="Number of items per user.")] = 10,
    artifacts: Annotated[Path, typer.Option(help="Model folder.")] = ARTIFACTS,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also recommend items of the user's history.")
    ] = False,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Search the index that refit.index made.")
    ] = False,
) -> None:
    """Write recommendations for many users to one file.

    The file appears when it is complete. Memory does not grow with the number of users.
    """
    if (users is None) == (history is None):
        msg = "give exactly one of them"
        raise typer.BadParameter(msg, param_hint="--users / --history")
    from twotower.serving import Recommender
    from twotower.serving.batch import write_batch

    model = Recommender.load(artifacts, approximate=approximate)
    batch = _batch(model, users, history, k, exclude_seen=not include_seen)
    sources = write_batch(model, batch, out)
    counts = ", ".join(f"{count} by {source}" for source, count in sources.items()) or "none"
    typer.echo(f"{out}: users: {counts}", err=True)


def _batch(
    model: "Recommender", users: str | None, history: Path | None, k: int, *, exclude_seen: bool
) -> "BatchJob":
    from twotower.serving.batch import BatchJob
    from twotower.serving.user_files import read_histories, read_ids

    artifacts = model.artifacts
    ids: Sequence[Id] | IdColumn = artifacts.user_ids
    histories = None
    if history is not None:
        ids, histories = read_histories(history, integers=artifacts.item_ids.integers)
    elif users is not None and users != "all":
        ids = read_ids(Path(users), "user_id", integers=artifacts.user_ids.integers)
    return BatchJob(ids, histories, k, exclude_seen)
