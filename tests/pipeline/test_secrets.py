"""Secrets, and columns that nobody declares, are in no output, log or command line."""

import io
import shutil
import sqlite3
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipeline.project import CANARY, Project
from tests.pipeline.servers import free_port
from tests.search.store import server

NOT_SEARCHED = (".git", "data/shop", "twotower", "tests")
"""Where the raw files are, and code."""


def leaks(root: Path, *words: str) -> list[str]:
    """Files of a repository in which one of the words is, wherever in them."""
    wanted = [word.encode() for word in (CANARY, *words)]
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    names = ((path, path.relative_to(root).as_posix()) for path in files)
    return [
        name
        for path, name in names
        if not name.startswith(NOT_SEARCHED)
        and any(word in text for text in contents(path) for word in wanted)
    ]


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is compressed in it, from values to statistics."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"PAR1"):
        file = pq.ParquetFile(io.BytesIO(content))
        yield repr(file.read().to_pydict()).encode()
        yield repr(file.schema_arrow.metadata).encode()
        yield repr(file.metadata.to_dict()).encode()
    if content.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def test_no_file_of_the_pipeline_has_a_secret(finished: Project) -> None:
    assert CANARY in finished.read("data/shop/users.csv")
    assert CANARY in finished.environment["PGPASSWORD"]
    assert leaks(finished.root) == []
    assert CANARY not in (finished.root.parent / "repro.log").read_text(encoding="utf-8")


def test_the_search_for_canaries_finds_them(tmp_path: Path) -> None:
    names = pa.table({"city": ["Lima", "Quito"] * 50, "email": [CANARY, "x"] * 50})
    pq.write_table(names, tmp_path / "dictionary.parquet", compression="zstd")
    pq.write_table(names.select(["city"]).replace_schema_metadata({"pandas": CANARY}),
                   tmp_path / "metadata.parquet", compression="zstd")  # fmt: skip
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", CANARY * 50)
    with closing(sqlite3.connect(tmp_path / "x.db")) as database, database:
        database.execute("CREATE TABLE t (name)")
        database.execute("INSERT INTO t VALUES (?)", [CANARY])
    assert len(leaks(tmp_path)) == 4


def watched(project: Project, *command: str) -> tuple[int, str, set[str]]:
    """Status and output of a program, and the command lines of all its processes."""
    process = project.start(*command)
    lines: set[str] = set()
    watch = threading.Thread(target=_watch, args=(process, lines))
    watch.start()
    output, _ = process.communicate()
    watch.join()
    return process.returncode, output, lines


def _watch(process: "subprocess.Popen[str]", lines: set[str]) -> None:
    while process.poll() is None:
        try:
            root = psutil.Process(process.pid)
            for each in (root, *root.children(recursive=True)):
                lines.add(" ".join(each.cmdline()))
        except psutil.Error:
            pass
        time.sleep(0.2)  # looking at all processes costs time


def test_servers_that_fail_are_named_without_their_passwords(
    unsearched: Project,
    empty_mlflow: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A PostgreSQL server that answers, then is gone, and an MLflow server that is not there."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = f"http://me:{CANARY}@127.0.0.1:{free_port()}"
    unsearched.set("mlflow.enabled", value=True)
    unsearched.set("hpo.workers", 2)
    with server.running() as database:
        if database is None:
            pytest.skip("PostgreSQL is not installed")
        unsearched.set("hpo.storage", database.url())
        unsearched.set("mlflow.tracking_uri", tracking)
        ended, output, lines = watched(unsearched, "python", "stages/hpo.py")
        assert ended == 0, output
        assert "python stages/hpo.py" in lines
    assert "warning: hpo.storage holds a password" in output
    assert "cannot log to MLflow" in output
    unsearched.path("hpo_results.json").unlink()
    ended, refused, more = watched(unsearched, "python", "stages/hpo.py", "--add-trials", "1")
    assert ended == 1
    assert "error: postgresql+psycopg://me:***@127.0.0.1" in refused
    assert "Traceback" not in refused
    ended, failed, _ = watched(unsearched, "twotower", "tracking", "sync")
    assert ended == 1, failed
    for text in (output, refused, failed, *lines, *more):
        assert CANARY not in text
        assert server.PASSWORD not in text
        assert server.QUOTED not in text
    unsearched.set("hpo.storage", None)
    unsearched.set("mlflow.tracking_uri", None)
    shutil.copy(empty_mlflow, unsearched.path("mlflow.db"))
    here = ("--tracking-uri", "sqlite:///mlflow.db")
    synced = unsearched.run("twotower", "tracking", "sync", *here)
    assert "trials logged" in synced
    assert leaks(unsearched.root, server.PASSWORD, server.QUOTED) == []
