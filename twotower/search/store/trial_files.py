"""Finished trials as files, each complete or absent: a live study's, and confirmation runs."""

import json
from pathlib import Path

from twotower.common.errors import SearchError
from twotower.common.files import sha256_text, write_text
from twotower.search.trial import Trial


class TrialFiles:
    """A folder of finished trials; a trial counts as soon as its file exists."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """Of the trials in the folder, in ascending order.

        Raises:
            SearchError: if a file is not named after a trial.
        """
        paths = [path for path in self._folder.glob("*.json") if not path.name.startswith(".")]
        for path in paths:
            if not path.stem.isdecimal():
                msg = f"{path}: not a trial file; delete it"
                raise SearchError(msg)
        return sorted(int(path.stem) for path in paths)

    def write(self, trial: Trial) -> None:
        """Store a trial: on disk when this returns.

        Raises:
            SearchError: if it cannot be written.
        """
        # With every digit: a resumed search must equal one that was never interrupted.
        text = json.dumps(trial.to_json(), sort_keys=True)
        path = self._path(trial.number)
        try:
            write_text(path, json.dumps({"record": text, "sha256": sha256_text(text)}) + "\n")
        except OSError as error:
            msg = f"{path}: cannot store trial {trial.number}: {error.strerror or error}"
            raise SearchError(msg) from None

    def read(self, number: int) -> Trial:
        """The trial of that number.

        Raises:
            SearchError: if the file is missing or damaged.
        """
        path = self._path(number)
        try:
            content = json.loads(path.read_bytes())
            if sha256_text(content["record"]) != content["sha256"]:
                msg = "its checksum is wrong"
                raise ValueError(msg)
            trial = Trial.from_json(json.loads(content["record"]))
            if trial.number != number:
                msg = f"it holds trial {trial.number}"
                raise ValueError(msg)
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror or error}"
            raise SearchError(msg) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            msg = f"{path}: damaged: {reason}; delete the file, and trial {number} will run again"
            raise SearchError(msg) from None
        return trial

    def delete(self, number: int) -> None:
        """Delete a trial that the database has."""
        self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.json"
