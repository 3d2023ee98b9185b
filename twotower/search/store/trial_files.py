"""Finished trials as files, each complete or absent: a live study's, and confirmation runs."""

import json
from collections.abc import Container
from pathlib import Path

from twotower.common.bounded import VALUE, one_line
from twotower.common.errors import SearchError
from twotower.common.files import sha256_text, write_text
from twotower.search.store.digests import UNREADABLE
from twotower.search.store.locks import Say
from twotower.search.trial import Trial


class DamagedTrialError(SearchError):
    """The file of a trial is not what was written."""


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

    def intact(self, say: Say, but: Container[int] = ()) -> dict[int, Trial]:
        """All trials by number; damaged files are named and set aside.

        Args:
            say: shows a line to the user.
            but: numbers of trials that are stored elsewhere, whose files are deleted.

        Raises:
            SearchError: if a file cannot be read, or is not named after a trial.
        """
        trials: dict[int, Trial] = {}
        for number in self.numbers():
            if number in but:
                self.delete(number)  # killed between the two steps
                continue
            try:
                trials[number] = self.read(number)
            except DamagedTrialError as error:
                path = self._path(number)
                path.replace(path.with_name(f"{path.name}.damaged"))
                say(str(error))
        return trials

    def read(self, number: int) -> Trial:
        """The trial of that number.

        Raises:
            DamagedTrialError: if the file is not what was written.
            SearchError: if it cannot be read.
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
        except (IsADirectoryError, *UNREADABLE) as error:
            reason = one_line(error, VALUE)
            again = f"it is not used, and the search runs trial {number} again"
            msg = f"{path}: damaged: {reason}; {again}"
            raise DamagedTrialError(msg) from None
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror or error}"
            raise SearchError(msg) from None
        return trial

    def delete(self, number: int) -> None:
        """Delete a trial that the database has."""
        self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.json"
