"""A PostgreSQL server of one's own, from the system's package."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cr{e}t%"  # noqa: S105 - of a server that lives as long as the test
QUOTED = "s3cr%7Be%7Dt%25"


def programs() -> Path | None:
    """Folder of initdb and pg_ctl; None if PostgreSQL is not installed."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Server:
    """PostgreSQL on a loopback port, without fsync."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        # It refuses to run as root.
        self._options = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        if self._options:
            shutil.chown(folder, **self._options)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        self._call("initdb", "-U", "me", "-A", "scram-sha-256", "-N", "--no-instructions",
                   "-E", "UTF8", f"--pwfile={folder}/password")  # fmt: skip
        self.start()
        self.sql("CREATE DATABASE db")

    def url(self, database: str = "db", password: str = QUOTED) -> str:
        return f"postgresql://me:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -F"
        self._call("pg_ctl", "-w", "-o", options, "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-w", "-m", "immediate", "stop")

    def sql(self, statement: str, database: str = "postgres") -> list[tuple]:
        import psycopg

        where = {"host": "127.0.0.1", "port": self.port, "user": "me", "password": PASSWORD}
        with psycopg.connect(dbname=database, autocommit=True, **where) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._folder / "data", *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._options,
        )


@contextmanager
def running() -> Iterator[Server | None]:
    """A server with an empty database `db`; None if PostgreSQL is not installed."""
    found = programs()
    if found is None:
        yield None
        return
    place = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    place.chmod(0o755)
    try:
        server = Server(found, place)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)
