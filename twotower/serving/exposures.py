"""What was recommended to whom, as JSON lines for experiments."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal

from pydantic_core import to_json

from twotower.common.errors import ConfigError
from twotower.serving.recommendations import Recommendations

LOG = logging.getLogger("uvicorn.error")
MOST = 2**26
"""Bytes that wait to be written; what comes beyond them is lost."""
PAUSE = 0.2
"""Seconds between two looks at what there is to write."""
LARGEST = 2**26
"""Bytes after which another file is begun."""
LONGEST = 3600.0
"""Seconds after which another file is begun."""
Kept = Literal["written", "lost"]
"""What became of lines."""


def check_folder(folder: Path) -> None:
    """Make the folder, if need be.

    Raises:
        ConfigError: if no files can be written there.
    """
    probe = folder / f".exposures-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        msg = f"--exposures: cannot write to the folder {folder}: {error.strerror}"
        raise ConfigError(msg) from None


class ExposureLog:
    """Writes a line for each row of recommendations, in a thread of its own.

    Requests never wait for it: if the disk cannot take what comes, lines are lost, and counted.
    Files are named by the time of their first line, the process and a number; none is written to
    by two processes, or by another one later. Each write ends at the end of a line, so only a
    process that is killed in the midst of one leaves a line in part, the last.
    """

    def __init__(self, folder: Path, told: Callable[[Kept, int], None]) -> None:
        """Prepare the thread.

        Args:
            folder: of the files.
            told: is told what became of how many lines.
        """
        self._folder, self._told = folder, told
        self._waiting: list[tuple[bytes, int]] = []
        self._size = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._file: _File | None = None
        self._fails = False
        self._thread = threading.Thread(target=self._run, name="exposures", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end the thread."""
        self._stopped.set()
        self._thread.join()

    def add(self, request_id: str, model: str, found: Recommendations) -> None:
        """Note the rows of an answer; may be called from any thread."""
        lines = b"".join(_lines(request_id, model, found))
        with self._lock:
            has_room = self._size + len(lines) <= MOST
            if has_room:
                self._waiting.append((lines, len(found)))
                self._size += len(lines)
        if not has_room:
            self._told("lost", len(found))

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE):
            self._write_waiting()
        self._write_waiting()
        if self._file:
            self._file.close()

    def _write_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting, self._size = self._waiting, [], 0
        if not waiting:
            return
        num_rows = sum(rows for _, rows in waiting)
        try:
            if self._file is None or self._file.is_over():
                self._file = self._next()
            self._file.append(b"".join(lines for lines, _ in waiting))
        except OSError as error:
            self._told("lost", num_rows)
            if not self._fails:  # once, not five times a second
                LOG.error("exposures are lost: %s: %s", self._folder, error.strerror)
            self._fails = True
        else:
            self._told("written", num_rows)
            if self._fails:
                LOG.info("exposures are written again: %s", self._folder)
            self._fails = False

    def _next(self) -> "_File":
        if self._file:
            self._file.close()
            self._file = None
        return _File(self._folder)


class _File:
    """A file that is being written."""

    def __init__(self, folder: Path) -> None:
        second = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in count():
            try:
                path = folder / f"exposures-{second}-{os.getpid()}-{number}.jsonl"
                self._handle = path.open("xb", buffering=0)
                break
            except FileExistsError:  # of a container that began again in the same second
                continue
        self._size, self._begun = 0, time.monotonic()

    def is_over(self) -> bool:
        """Whether another file is to be begun: the next is due, or this one was deleted."""
        is_due = self._size >= LARGEST or time.monotonic() - self._begun >= LONGEST
        return is_due or os.fstat(self._handle.fileno()).st_nlink == 0

    def append(self, data: bytes) -> None:
        """Add whole lines, or nothing.

        Raises:
            OSError: of the disk.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._handle.write(rest) :]
        except OSError:
            self._handle.seek(self._size)
            self._handle.truncate()  # which a full disk allows
            raise
        self._size += len(data)

    def close(self) -> None:
        self._handle.close()


def _lines(request_id: str, model: str, found: Recommendations) -> Iterator[bytes]:
    known = found.query_name == "user_id"
    now = datetime.now(UTC)
    for query, source, items in zip(found.queries, found.source, found.item_ids, strict=True):
        line = {
            "time": now,
            "request_id": request_id,
            "model": model,
            "user_id": query if known else None,
            "source": source,
            "items": items,
            "experiment": None,
            "arm": None,
        }
        yield to_json(line) + b"\n"
