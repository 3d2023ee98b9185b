"""A clone of the current commit in a folder of its own, in which the pipeline runs."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from twotower.common.errors import ConfigError, VerificationError
from twotower.common.git import git
from twotower.common.paths import LOCK, PARAMS
from twotower.common.yaml_file import parse_yaml, read_yaml
from twotower.config import Config, parse_config
from twotower.ingest.snapshot import FETCH
from twotower.ingest.untracked import untracked_files
from twotower.project.missing_keys import STAGES
from twotower.project.repositories import run_program
from twotower.verification.committed import link_or_copy

OUTER = ("DVC_ROOT", "DVC_STAGE")
"""Variables of a stage that this may run in."""


@dataclass(frozen=True)
class Checkout:
    """The project that is verified, and where it is in git.

    Attributes:
        folder: of params.yaml and dvc.lock.
        top: of the git repository.
        prefix: `folder` from `top`; empty if they are the same.
        commit: the current one, 40 digits.
        is_clean: whether tracked files are as they were committed.
    """

    folder: Path
    top: Path
    prefix: str
    commit: str
    is_clean: bool

    @classmethod
    def at(cls, folder: Path) -> "Checkout":
        """The checkout that a folder is in.

        Raises:
            VerificationError: if it is none with a commit and dvc.lock in it.
        """
        top = git(folder, "rev-parse", "--show-toplevel")
        commit = git(folder, "rev-parse", "--verify", "HEAD")
        if top is None or commit is None:
            msg = f"{folder.absolute()}: no git repository with a commit to verify"
            raise VerificationError(msg)
        if git(folder, "cat-file", "-e", f"HEAD:./{LOCK}") is None:
            msg = f"{LOCK}: the commit has none to verify; git add {LOCK} after dvc repro"
            raise VerificationError(msg)
        status = git(folder, "status", "--porcelain", "--untracked-files=no")
        prefix = git(folder, "rev-parse", "--show-prefix") or ""
        return cls(folder.absolute(), Path(top), prefix, commit, is_clean=not status)


@dataclass(frozen=True)
class Scratch:
    """The clone.

    Attributes:
        folder: of its params.yaml.
        committed: where outputs are put as they were committed.
        environment: of its programs.
    """

    folder: Path
    committed: Path
    environment: dict[str, str]


@contextmanager
def scratch_clone(checkout: Checkout, cache: Path, keep: Path | None = None) -> Iterator[Scratch]:
    """A clone that has what the pipeline reads and nothing that it wrote, removed at the end.

    Raw files that are in neither git nor DVC are those of the checkout. In params.yaml, what leads
    out of the clone is changed: a database of trials, workers elsewhere, MLflow.

    Args:
        checkout: what is cloned.
        cache: of DVC, for raw data that it tracks.
        keep: folder to be made for the clone, which then stays; None: a temporary one.

    Raises:
        ConfigError: if params.yaml is not valid, or git fails.
        VerificationError: if data is missing, or `keep` is there already.
    """
    source = parse_yaml(git(checkout.folder, "show", f"HEAD:./{PARAMS}") or "", str(PARAMS))
    config = parse_config(source, source=str(PARAMS))
    root = Path(config.data.root)
    with _place(keep) as place:
        top = place.joinpath(*_levels_above(checkout, root), checkout.top.name)
        scratch = Scratch(top / checkout.prefix, place / "committed", _environment(place))
        run_program(place, "git", "clone", "--quiet", "--no-checkout", str(checkout.top), str(top))
        run_program(top, "git", "checkout", "--quiet", "--detach", checkout.commit)
        _use_its_code(scratch)
        _check_out_data(scratch, cache)
        _bring_raw_files(checkout, scratch, root)
        _stay_inside(scratch.folder / PARAMS, config)
        yield scratch


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """An empty folder."""
    if keep is None:
        with tempfile.TemporaryDirectory(
            prefix="twotower-verify-", ignore_cleanup_errors=True
        ) as temporary:
            yield Path(temporary).resolve()
        return
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        msg = f"{keep}: is there already; --keep takes the name of a new folder"
        raise VerificationError(msg) from None
    yield keep.resolve()


def _levels_above(checkout: Checkout, root: Path) -> list[str]:
    """A folder for each level that the raw data is above the repository, so that `..` stays."""
    if root.is_absolute():
        return []
    relative = os.path.relpath(checkout.folder / root, checkout.top)
    return ["above"] * Path(relative).parts.count("..")


def _environment(place: Path) -> dict[str, str]:
    """Of programs that leave nothing outside the clone."""
    outer = {name: value for name, value in os.environ.items() if name not in OUTER}
    path = os.pathsep.join([str(Path(sys.executable).parent), outer.get("PATH", "")])
    temporary = place / "temporary"
    temporary.mkdir()
    places = dict.fromkeys(("TEMP", "TMP", "TMPDIR"), str(temporary))
    return outer | places | {"PATH": path, "DVC_SITE_CACHE_DIR": str(place / "dvc")}


def _use_its_code(scratch: Scratch) -> None:
    """Where the commit has the package, as this repository does, it is not the installed one."""
    if (scratch.folder / "twotower" / "__init__.py").is_file():
        paths = [str(scratch.folder), scratch.environment.get("PYTHONPATH", "")]
        scratch.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def _check_out_data(scratch: Scratch, cache: Path) -> None:
    """Bring what .dvc files stand for, and what was fetched, from the cache of the checkout."""
    listed = git(scratch.folder, "ls-files", "-z", "*.dvc") or ""
    fetching = list(_fetching_stages(scratch.folder))
    targets = [*filter(None, listed.split("\0")), *fetching]
    if not targets:
        return
    dvc, env = (sys.executable, "-m", "dvc"), scratch.environment
    run_program(scratch.folder, *dvc, "config", "--local", "cache.dir", str(cache), env=env)
    try:
        run_program(scratch.folder, *dvc, "checkout", "--quiet", *targets, env=env)
    except ConfigError:
        msg = f"{', '.join(targets)}: the data is not in DVC's cache; dvc pull brings it"
        raise VerificationError(msg) from None
    if fetching:
        _freeze(scratch.folder / STAGES)


def _freeze(path: Path) -> None:
    """Keep stages from fetching again: what they read is no file, and may have changed.

    `dvc freeze` refuses a stage with `${data.root}`.
    """
    text = path.read_text(encoding="utf-8")
    frozen = re.sub(rf"^( +)cmd: {FETCH}$", r"\g<0>\n\1frozen: true", text, flags=re.MULTILINE)
    path.write_text(frozen, encoding="utf-8")


def _fetching_stages(folder: Path) -> Iterator[str]:
    """Names of stages that fetch the raw data."""
    for name, stage in read_yaml(folder / LOCK).get("stages", {}).items():
        if stage.get("cmd") == FETCH:
            yield name


def _bring_raw_files(checkout: Checkout, scratch: Scratch, root: Path) -> None:
    """Make readable in the clone what is in neither git nor DVC."""
    if root.is_absolute():
        return
    is_outside = not Path(os.path.abspath(checkout.folder / root)).is_relative_to(checkout.top)  # noqa: PTH100 - links stay
    names = [str(root)] if is_outside else list(untracked_files(root, checkout.folder))
    for name in names:
        place = Path(os.path.abspath(scratch.folder / name))  # noqa: PTH100 - as above
        if not place.exists() and (checkout.folder / name).exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(checkout.folder / name, place)


def _stay_inside(path: Path, config: Config) -> None:
    """Change what leads out of the clone; no output depends on it."""
    content = read_yaml(path)
    if config.hpo.storage is not None or config.hpo.executor != "local":
        content["hpo"] |= {"storage": None, "executor": "local"}
    if config.mlflow.enabled:
        content["mlflow"]["enabled"] = False
    if content != read_yaml(path):
        with path.open("w", encoding="utf-8") as handle:
            YAML(typ="safe", pure=True).dump(content, handle)
