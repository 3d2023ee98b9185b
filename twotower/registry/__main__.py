"""Versions of the model in MLflow's registry.

    python -m twotower.registry register           # .artifacts_best/ as a new candidate
    python -m twotower.registry promote            # the candidate to champion, if it is better
    python -m twotower.registry promote --force    # whatever speaks against it; recorded
    python -m twotower.registry fetch --out served # the champion's model, to be served
    python -m twotower.registry list

Exit status of promote: 0 if the version is the champion now, 3 if the champion stays, 4 if the two
cannot be compared (one was trained on test rows, say), 1 for other errors.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twotower.artifacts import ARTIFACTS, META, load_artifacts
from twotower.artifacts.folder import verify_artifacts
from twotower.common.console import command_parser, one_line_errors, say
from twotower.common.errors import ComparisonError, RegistryError, TwoTowerError
from twotower.common.files import atomic_folder, sha256_file
from twotower.common.paths import check_place, repository_root
from twotower.config import Config, load_config
from twotower.data.prepared import PREPARED, SPLITS, read_split
from twotower.registry.registry import CANDIDATE, CHAMPION, MODEL_TAG, Registry, version_tags
from twotower.registry.training_rows import training_frame

METRICS = Path("metrics/test.json")
STAYS, INCOMPARABLE = 3, 4
"""Exit statuses of promote."""


def register(registry: Registry, folder: Path, prepared: Path, metrics: Path) -> int:
    """Register a model folder, unless it is a version already; its number.

    Args:
        registry: of the models.
        folder: of the model.
        prepared: data that it was trained on.
        metrics: test metrics, shown at the version's run.

    Raises:
        ArtifactError: if the folder is damaged.
        RegistryError: if the model was trained on other data.
    """
    verify_artifacts(folder)
    artifacts = load_artifacts(folder)
    splits = {name: read_split(prepared / f"{name}.parquet") for name in SPLITS}
    trained_on = training_frame(artifacts, splits)
    tags = version_tags(artifacts, prepared)
    for version in registry.versions():
        if version.tags.get(MODEL_TAG) == tags[MODEL_TAG]:
            registry.set_alias(CANDIDATE, version)
            say(f"{folder} is version {version.version} of {registry.name} already: candidate")
            return int(version.version)
    numbers = dict(_numbers(_read_metrics(metrics), "test"))
    version = registry.register(artifacts, trained_on, tags, numbers)
    say(f"registered {folder} as version {version.version} of {registry.name}: candidate")
    return int(version.version)


def fetch(registry: Registry, out: Path) -> int:
    """Put the champion's model folder where it is served; the number of its version.

    Args:
        registry: of the models.
        out: a model folder, which is replaced as a whole; or nothing yet.

    Raises:
        RegistryError: if there is no champion, it cannot be read, or `out` is something else.
        ConfigError: if `out` is below a file.
    """
    check_place(out)
    champion = registry.by_alias(CHAMPION)
    if champion is None:
        msg = f"{registry.name} has no champion; run python -m twotower.registry promote first"
        raise RegistryError(msg)
    named = f"version {champion.version} of {registry.name}"
    if _holds(out, champion.tags.get(MODEL_TAG)):
        say(f"{out} holds {named} already")
        return int(champion.version)
    if out.exists() and not (out / META).is_file():
        msg = f"{out} is no model folder: it is not replaced"
        raise RegistryError(msg)
    with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
        artifacts, _ = registry.download(champion, Path(temporary))
        with atomic_folder(out) as target:
            shutil.copytree(artifacts.folder, target, dirs_exist_ok=True)
    say(f"{out} holds {named} now")
    return int(champion.version)


def _holds(folder: Path, model: str | None) -> bool:
    """Whether this is that model, whole."""
    try:
        verify_artifacts(folder)
        return sha256_file(folder / META) == model
    except (TwoTowerError, OSError):
        return False


def _read_metrics(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); run dvc repro refit"
        raise RegistryError(msg) from None


def _numbers(values: Any, prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers in nested mappings, by path."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _numbers(value, f"{prefix}/{name}")
    elif isinstance(values, int | float) and not isinstance(values, bool):
        yield prefix, float(values)


def promote_version(config: Config, registry: Registry, number: int | None, *, force: bool) -> int:
    """Promote a version if it is better; the exit status."""
    from twotower.registry.promote import promote  # with torch

    try:
        decision = promote(config, registry, number, force=force)
    except ComparisonError as error:
        say(f"error: {error}")
        return INCOMPARABLE
    if decision.comparison is not None:
        say(str(decision.comparison))
    verdict = "is the champion" if decision.promoted else "stays a candidate"
    verdict += ", by force" * decision.forced
    say(f"version {decision.version} of {registry.name} {verdict}: {decision.reason}")
    return 0 if decision.promoted else STAYS


def main() -> int:
    """Run the command in the current directory."""
    parser = command_parser("twotower.registry", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("register", help="a model folder as a new version, the candidate")
    command = commands.add_parser("promote", help="the candidate to champion, if it is better")
    command.add_argument("--version", type=int, help="promote this version")
    command.add_argument("--force", action="store_true", help="whatever speaks against it")
    command = commands.add_parser("fetch", help="the champion's model folder, to be served")
    command.add_argument("--out", type=Path, required=True, help="folder to put it in")
    commands.add_parser("list", help="versions, the latest first")
    arguments = parser.parse_args()
    config = load_config()
    registry = Registry(config.mlflow, repository_root())
    if arguments.command == "promote":
        return promote_version(config, registry, arguments.version, force=arguments.force)
    if arguments.command == "fetch":
        fetch(registry, arguments.out)
        return 0
    if arguments.command == "register":
        register(registry, ARTIFACTS, PREPARED, METRICS)
        return 0
    for version in registry.versions():
        aliases = ", ".join(sorted(version.aliases)) or "-"
        say(f"{version.version:>4}  {aliases:<20}  {version.tags.get('twotower.promotion', '')}")
    return 0


if __name__ == "__main__":
    with one_line_errors():
        raise SystemExit(main())
