"""The database URL of a live study: parsed, checked, and shown without its secrets."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from twotower.common.errors import SearchError
from twotower.common.secrets import MASK, is_secret, mask_credentials, without

CONNECT_SECONDS = 10
BUSY_SECONDS = 60
"""How long a commit waits while another process reads the SQLite file."""
DAMAGE = ("not a database", "malformed")
"""What SQLite says of a file that no longer is what it wrote."""
HINTS = (
    ("password authentication failed", "check user and password (PGPASSWORD and ~/.pgpass work)"),
    ("no password supplied", "give the password in PGPASSWORD or ~/.pgpass"),
    ("does not exist", "create it first, e.g. with createdb and createuser"),
    ("permission denied", "the user must be allowed to create tables there"),
    ("refused", "is the server running, and does it listen there?"),
    ("timeout expired", "is the server running, and does it listen there?"),
    ("could not translate host name", "check the host name"),
    ("failed to resolve host", "check the host name"),
    ("disk is full", "free some space, then run the search again"),
    ("is locked", "another program has locked the file: close it"),
    *((part, "the file is damaged: move it away to start from the snapshot") for part in DAMAGE),
    ("no longer compatible with the table schema", "it was written by another version of Optuna"),
)


@dataclass(frozen=True)
class Storage:
    """A database that Optuna can keep studies in.

    Attributes:
        url: with its driver and, for SQLite, an absolute path.
    """

    url: URL

    @property
    def is_server(self) -> bool:
        """Whether other machines can reach it."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    def __str__(self) -> str:
        """The URL as it may be shown: passwords are ***."""
        hidden = {name: MASK for name in self.url.query if is_secret(name)}
        text = self.url.update_query_dict(hidden).render_as_string(hide_password=True)
        return text.replace("%2A%2A%2A", MASK)

    def __repr__(self) -> str:
        return f"Storage({self})"

    @property
    def optuna_url(self) -> str:
        """The URL in full, as Optuna reads it: braces are templates there."""
        text = self.url.render_as_string(hide_password=False)
        return text.replace("{", "{{").replace("}", "}}")

    def engine_options(self) -> dict[str, Any]:
        """Options of the engine: every wait has a limit, and the server sees our name."""
        if not self.is_server:
            return {"connect_args": {"timeout": BUSY_SECONDS}}
        defaults: dict[str, Any] = {
            "application_name": holder(),
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,  # milliseconds
        }
        given = self.url.query
        arguments = {name: value for name, value in defaults.items() if name not in given}
        return {"connect_args": arguments, "pool_pre_ping": True}

    def explain(self, error: BaseException) -> str:
        """The error in one line, with a hint and without secrets."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SQLAlchemyError | ImportError):
            cause = cause.__cause__
        error = cause or error
        if isinstance(error, DBAPIError) and error.orig is not None:
            error = error.orig
        if isinstance(error, ImportError):
            driver = self.url.get_driver_name()
            return f'the driver {driver} is missing; install it with pip install "{driver}[binary]"'
        text = str(error).strip() or type(error).__name__
        line = self._without_secrets(text.splitlines()[0])
        hint = next((hint for part, hint in HINTS if part in text), None)
        return f"{line}; {hint}" if hint else line

    def is_damaged(self, error: BaseException) -> bool:
        """Whether the error says that the SQLite file is no longer what was written."""
        return not self.is_server and any(part in self.explain(error) for part in DAMAGE)

    def _without_secrets(self, text: str) -> str:
        query = self.url.normalized_query.items()
        given = [self.url.password, *(v for name, vs in query if is_secret(name) for v in vs)]
        return mask_credentials(without(text, map(str, filter(None, given))))


def parse_storage(text: str, root: Path) -> Storage:
    """The storage of that URL.

    Args:
        text: sqlite:///file, postgresql://user@host/database, or with a driver as in SQLAlchemy.
        root: folder that relative SQLite files are in.

    Raises:
        SearchError: if it is not a URL, or of a database that is not supported.
    """
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        msg = "hpo.storage: not a database URL such as postgresql://user@host/database"
        raise SearchError(msg) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername in ("postgresql+psycopg", "postgresql+psycopg2"):
        if "@" in (url.host or ""):
            msg = "hpo.storage: an @ in a user name or password must be written %40"
            raise SearchError(msg)
        return Storage(url)
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        msg = f"hpo.storage: sqlite and postgresql (psycopg) are supported, got {url.drivername}"
        raise SearchError(msg)
    if not url.database or url.database == ":memory:" or "mode=memory" in text:
        msg = "hpo.storage: a database in memory would lose the study; name a file, or use null"
        raise SearchError(msg)
    if url.database.startswith("file:"):
        msg = "hpo.storage: name the SQLite file by its path, not as file:"
        raise SearchError(msg)
    return Storage(url.set(database=(root.resolve() / url.database).as_posix()))


def sqlite_storage(path: Path) -> Storage:
    """The storage in this SQLite file."""
    return Storage(URL.create("sqlite", database=path.resolve().as_posix()))


def holder() -> str:
    """A name of this process for other processes and machines; at most 63 ASCII bytes."""
    node = platform.node().encode("ascii", "replace").decode()[:40]
    return f"process {os.getpid()} on {node}"
