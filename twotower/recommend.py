"""Recommendations for many users at once, from a model folder into one file.

python -m twotower.recommend --users all --k 20 --out recs.parquet
python -m twotower.recommend --users some.csv --out recs.csv
python -m twotower.recommend --history new_users.csv --out recs.parquet
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from twotower.artifacts import ARTIFACTS, Id, IdColumn
from twotower.common.console import one_line_errors
from twotower.serving import Recommender
from twotower.serving.batch import Batch, write_batch
from twotower.serving.requests import read_histories, read_ids


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m twotower.recommend", description=(__doc__ or "").splitlines()[0]
    )
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "--users",
        help="all: everyone the model knows; or a file: .csv or .parquet with a column user_id, "
        "otherwise text with an id a line",
    )
    whom.add_argument(
        "--history",
        type=Path,
        help="for new users: .csv or .parquet with columns user_id and item_id; what the model "
        "knows of these users is not used",
    )
    parser.add_argument("--k", type=int, default=10, help="items a user (default: 10)")
    parser.add_argument("--out", type=Path, required=True, help="a .parquet or .csv file")
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="folder of the model")
    parser.add_argument("--include-seen", action="store_true", help="items of the history too")
    parser.add_argument("--approximate", action="store_true", help="search the index of refit")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(arguments)
    model = Recommender.load(options.artifacts, approximate=options.approximate)
    sources = write_batch(model, _batch(options, model), options.out)
    told = ", ".join(f"{count} by {source}" for source, count in sources.items()) or "none"
    print(f"{options.out}: users: {told}", file=sys.stderr)  # noqa: T201 - a command's own output


def _batch(options: argparse.Namespace, model: Recommender) -> Batch:
    artifacts = model.artifacts
    users: Sequence[Id] | IdColumn = artifacts.user_ids
    histories = None
    if options.history is not None:
        users, histories = read_histories(options.history, integers=artifacts.item_ids.integers)
    elif options.users != "all":
        path = Path(options.users)
        users = read_ids(path, "user_id", integers=artifacts.user_ids.integers)
    return Batch(users, histories, options.k, not options.include_seen)


if __name__ == "__main__":
    with one_line_errors():
        main()
