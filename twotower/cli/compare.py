"""`twotower compare`: the models of two revisions on the same test users."""

from dataclasses import asdict
from typing import Annotated

import typer

from twotower.cli.app import app, examples, loading
from twotower.common.progress import step, track
from twotower.common.scorers import MODEL


@app.command(
    epilog=examples(
        "twotower compare main try-cosine",
        "twotower compare HEAD workspace --json",
    ),
)
def compare(
    rev_a: Annotated[
        str,
        typer.Argument(
            metavar="REV_A", help="A Git revision, the name of a DVC experiment, or 'workspace'."
        ),
    ],
    rev_b: Annotated[
        str, typer.Argument(metavar="REV_B", help="Likewise, to compare with the first.")
    ],
    scorer: Annotated[
        str, typer.Option(help="Whose metrics to compare: optimized, default, or a baseline.")
    ] = MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 42,
) -> None:
    """Compare the models of two revisions, test user by test user.

    For each metric: both means, their difference with a 95 % interval, and p-values. Differences
    are B - A: above 0, the second revision is better. Nothing is checked out.
    """
    with loading():
        from twotower import revisions

    names = track((rev_a, rev_b), "revisions read")
    a, b = (revisions.read_user_metrics(name, scorer=scorer) for name in names)
    with step("tests and intervals"):
        comparisons = revisions.compare(a, b, seed=seed)
    if not as_json:
        typer.echo(revisions.table_text(a, b, comparisons))
        return
    from twotower.common.files import json_text

    clusters = revisions.clusters_of_both(a, b)
    content = {
        "a": a.revision,
        "b": b.revision,
        "level": revisions.LEVEL,
        "metrics": {name: asdict(comparison) for name, comparison in comparisons.items()},
        "num_users": len(a.users),
        **({} if clusters is None else {"num_clusters": clusters}),
        "scorer": scorer,
        "seed": seed,
    }
    typer.echo(json_text(content))
