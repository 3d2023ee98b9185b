"""The committed outputs, from git and from DVC's cache."""

import json
import os
import shutil
from pathlib import Path

from twotower.verification.locked import Output


class Committed:
    """Brings committed outputs into a folder, at their paths.

    Attributes:
        folder: where they are put; what is in git is there from the beginning.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        """Nothing is brought yet.

        Args:
            folder: with the outputs that are in git.
            cache: of DVC: files by digest.
        """
        self.folder = folder
        self._cache = cache

    def bring(self, output: Output) -> Path | None:
        """Where the output is now; None: it is neither in git nor, as a whole, in the cache."""
        place = self.folder / output.path
        if place.exists():
            return place
        if not output.is_folder:
            return place if self._bring_file(output.digest, place) else None
        listing = self._cached(output.digest)
        if not listing.is_file():
            return None
        files = json.loads(listing.read_text(encoding="utf-8"))
        place.mkdir(parents=True)
        found = [self._bring_file(file["md5"], place / file["relpath"]) for file in files]
        return place if all(found) else None

    def _bring_file(self, digest: str, place: Path) -> bool:
        source = self._cached(digest)
        if not digest or not source.is_file():
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source, place)
        return True

    def _cached(self, digest: str) -> Path:
        return self._cache / digest[:2] / digest[2:]


def link_or_copy(source: Path, place: Path) -> None:
    """Make a file or folder readable at another path as well; Windows may forbid links."""
    try:
        place.symlink_to(source.absolute(), target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copyfile(os.path.realpath(source), place)
