"""Finished trials as files, each whole or absent, until they are in the database."""

import json
from pathlib import Path

from twotower.common.errors import SearchError
from twotower.common.files import sha256_text, write_text
from twotower.search.trial import Trial


class PendingTrials:
    """A folder of finished trials; a trial counts as soon as it is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """Of the trials that are there, in ascending order.

        Raises:
            SearchError: if a file has another name than a trial's.
        """
        paths = [path for path in self._folder.glob("*.json") if not path.name.startswith(".")]
        for path in paths:
            if not path.stem.isdecimal():
                msg = f"{path}: not the file of a trial; delete it"
                raise SearchError(msg)
        return sorted(int(path.stem) for path in paths)

    def write(self, record: Trial) -> None:
        """Keep a trial: on disk when this returns.

        Raises:
            SearchError: if it cannot be written.
        """
        # Every digit is kept: what goes on from the file must be what would have gone on.
        text = json.dumps(record.to_json(), sort_keys=True)
        path = self._path(record.number)
        try:
            write_text(path, json.dumps({"record": text, "sha256": sha256_text(text)}) + "\n")
        except OSError as error:
            msg = f"{path}: trial {record.number} cannot be kept: {error.strerror or error}"
            raise SearchError(msg) from None

    def read(self, number: int) -> Trial:
        """A trial that is there.

        Raises:
            SearchError: if the file is not as it was written.
        """
        path = self._path(number)
        try:
            content = json.loads(path.read_bytes())
            if sha256_text(content["record"]) != content["sha256"]:
                msg = "it was changed by hand"
                raise ValueError(msg)
            values = json.loads(content["record"])
            record = Trial.from_json(values)
            if record.number != number:
                msg = f"it holds trial {record.number}"
                raise ValueError(msg)
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror or error}"
            raise SearchError(msg) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            msg = f"{path}: damaged: {reason}; delete the file, and trial {number} is run again"
            raise SearchError(msg) from None
        return record

    def delete(self, number: int) -> None:
        """Forget a trial, which is in the database by now."""
        self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.json"
