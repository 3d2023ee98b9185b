"""Log to MLflow what it could not be told of while a search ran.

    python -m twotower.tracking sync

Finished trials of every tracked study in `.hpo/`, and of `hpo_study.db`, are logged where they are
missing; nothing is logged twice.
"""

from typing import Any

from twotower.common.console import command_parser, one_line_errors, say
from twotower.common.paths import repository_root
from twotower.config import load_config
from twotower.tracking.store import COMMAND_PATIENCE, configure_environment


def main() -> None:
    """Run the command in the current directory."""
    parser = command_parser("twotower.tracking", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("sync", help="log the trials that MLflow lacks")
    command.add_argument("--tracking-uri", help="another MLflow store than the search was told of")
    command.add_argument("--experiment-name", help="another experiment")
    arguments = parser.parse_args()
    given = {
        "mlflow.tracking_uri": arguments.tracking_uri,
        "mlflow.experiment": arguments.experiment_name,
    }
    overrides: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    config = load_config(overrides=overrides)
    configure_environment(COMMAND_PATIENCE)
    from twotower.tracking.sync import sync

    where = config.mlflow if overrides else None
    logged = sync(config, repository_root(), say, where)
    say(f"{logged} trial{'' if logged == 1 else 's'} logged")


if __name__ == "__main__":
    with one_line_errors():
        main()
