"""One search at a time on a study, on this machine and across machines."""

import contextlib
import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from twotower.common.bounded import shortened
from twotower.common.errors import SearchError
from twotower.search.store.storage_url import Storage, holder

Say = Callable[[str], None]
POLL_SECONDS = 0.5
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Errors of a network file system that was mounted without locks."""

KEEPALIVES = text(
    "SELECT set_config('tcp_keepalives_idle', '30', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
"""The server then notices within a minute that a machine with a lock is gone; by default, hours."""
HOLDER = text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32) + objid::bigint = :key"
)


@contextmanager
def file_lock(path: Path, say: Say) -> Iterator[None]:
    """Hold a lock file; wait while another process of this machine does. Ends with the process.

    The holder is named in a file beside it.

    Args:
        path: of the lock file.
        say: shows a line if it has to wait.

    Raises:
        SearchError: if the file system, one of a network perhaps, has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(path), path.with_name(f"{path.name}.holder")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = "another process"
        with contextlib.suppress(OSError):
            who = shortened(note.read_text(encoding="utf-8", errors="replace")) or who
        say(f"waiting for {who}, which is running this study")
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        msg = (
            f"{path}: this file system has no locks ({error.strerror}), and without them two "
            "searches could run one study at a time; move the repository to a local disk"
        )
        raise SearchError(msg) from None
    try:
        with contextlib.suppress(OSError):  # it is only for people
            note.write_text(holder(), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


class ServerLock:
    """An advisory lock of a PostgreSQL server; it ends with its connection, so with the process."""

    def __init__(self, storage: Storage, name: str) -> None:
        """Prepare the lock.

        Args:
            storage: on a server.
            name: what is locked; unique in the database.
        """
        self._storage = storage
        self._key = lock_key(name)
        # No connection pool: the lock is the connection's.
        self._engine = create_engine(
            storage.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=storage.engine_options()["connect_args"],
        )
        self._connection: Connection | None = None

    def acquire(self, say: Say) -> None:
        """Take the lock; wait while another process, on any machine, holds it."""
        has_told = False
        while not self._try():
            if not has_told:
                say(f"waiting for {self._holder()}, which is running this study at {self._storage}")
                has_told = True
            time.sleep(POLL_SECONDS)

    def ensure(self) -> None:
        """Make sure that the lock is still held; a restart of the server loses it.

        Raises:
            SearchError: if another process holds it now.
            SQLAlchemyError: if the server cannot be reached.
        """
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self.release()
            else:
                return
        if not self._try():
            msg = f"{self._storage}: connection lost, and {self._holder()} now runs the study"
            raise SearchError(msg)

    def release(self) -> None:
        """Release the lock, even if its connection is broken."""
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                self._connection.invalidate()  # closes it for good
            with contextlib.suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None

    def _try(self) -> bool:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.execute(KEEPALIVES)
        query = text("SELECT pg_try_advisory_lock(:key)")
        return bool(self._connection.execute(query, {"key": self._key}).scalar())

    def _holder(self) -> str:
        if self._connection is None:
            return "another process"
        names = self._connection.execute(HOLDER, {"key": self._key}).scalars().all()
        return next(filter(None, names), "another process")


@contextmanager
def schema_lock(storage: Storage) -> Iterator[None]:
    """Let one process at a time create Optuna's tables in a server's database."""
    if not storage.is_server:
        yield
        return
    lock = ServerLock(storage, "tables")
    lock.acquire(lambda _line: None)
    try:
        yield
    finally:
        lock.release()


def lock_key(name: str) -> int:
    """A stable key of 63 bits: the same on all machines, 0 <= key < 2**63."""
    digest = hashlib.sha256(f"two-tower {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
