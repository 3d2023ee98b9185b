"""Puts a registered model folder, the champion's as a rule, where it is served."""

import errno
import tempfile
from pathlib import Path

from twotower.artifacts import META, copy_model, verify_artifacts
from twotower.common.errors import RegistryError, TwoTowerError
from twotower.common.files import sha256_file
from twotower.common.folders import atomic_folder, is_replaceable
from twotower.common.paths import check_place
from twotower.registry.versions import CHAMPION, MODEL_TAG, Registry

CONCURRENT = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY}
"""Errors of renaming what another program has renamed."""


def fetch(registry: Registry, out: Path, number: int | None = None) -> tuple[int, bool]:
    """Download a version's model folder, unless `out` holds it already.

    Args:
        registry: of the models.
        out: a model folder, which is replaced as a whole (see `atomic_folder`); an empty folder, or
            a path at which nothing exists.
        number: of the version; None: the champion.

    Returns:
        The number of the version, and whether it was downloaded.

    Raises:
        RegistryError: if there is no such version, it cannot be read, `out` is something else, or
            is replaced by another program at the same time.
        ConfigError: if `out` is below a file.
    """
    check_place(out)
    version = registry.by_alias(CHAMPION) if number is None else registry.by_number(number)
    if version is None:
        msg = f"{registry.name} has no champion; run twotower registry promote first"
        raise RegistryError(msg)
    if _holds(out, version.tags.get(MODEL_TAG)):
        return int(version.version), False
    if not is_replaceable(out, META):
        msg = f"{out} is not a model folder, so it is not replaced"
        raise RegistryError(msg)
    with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
        artifacts, _ = registry.download(version, Path(temporary))
        try:
            with atomic_folder(out, META) as target:
                copy_model(artifacts, target)
        except OSError as error:
            if error.errno not in CONCURRENT:
                raise
            msg = f"{out} is replaced by another program at the same time; run this again"
            raise RegistryError(msg) from None
    return int(version.version), True


def _holds(folder: Path, model: str | None) -> bool:
    """Whether the folder holds that model, complete."""
    try:
        verify_artifacts(folder)
        return sha256_file(folder / META) == model
    except (TwoTowerError, OSError):
        return False
