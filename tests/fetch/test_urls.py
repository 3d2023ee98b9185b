"""Files of URLs: a web server on loopback, and folders of files."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.fetch.conftest import data_of
from twotower.common.errors import ConfigError, DataError
from twotower.fetch.fetch import fetch
from twotower.fetch.urls import extension
from twotower.ingest.snapshot import pinned

CSV = b"user_id,item_id\n1,2\n"


class Handler(BaseHTTPRequestHandler):
    """Answers with a file, to who knows the password; /cut ends in its middle."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        secret = base64.b64encode(b"me:s3cret/").decode()
        if path == "/private.csv" and self.headers.get("Authorization") != f"Basic {secret}":
            self.send_error(401)
        elif path == "/signed.csv" and query != "token=s3cret%2F":
            self.send_error(403)
        elif path == "/missing.csv":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CSV) + 5 * (path == "/cut.csv")))
            self.end_headers()
            self.wfile.write(CSV)

    def do_HEAD(self) -> None:
        self.send_error(405)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PW", "s3cret/")
    return tmp_path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host/a/Events.CSV.GZ?x=1.tsv", ".csv.gz"),
        ("s3://bucket/events.parquet", ".parquet"),
        ("https://host/export", ""),
        ("https://host/export.php", ""),
        ("https://host/a.v2.jsonl#x", ".jsonl"),
    ],
)
def test_the_extension_of_a_format_is_kept(url: str, expected: str) -> None:
    assert extension(url) == expected


def test_a_file_of_a_web_server_is_copied_as_it_is(host: str) -> None:
    url = f"http://{host}/events.csv?day=1"
    snapshot = fetch(data_of(None, {"interactions": url}))
    assert Path("raw/interactions.csv").read_bytes() == CSV
    assert snapshot.tables["interactions"].origin == {"url": url}
    assert pinned(data_of(None, {"interactions": url})).interactions.file == "interactions.csv"


@pytest.mark.parametrize(
    "url", ["http://me:${PW}@HOST/private.csv", "http://HOST/signed.csv?token=${PW}"]
)
def test_credentials_come_from_the_environment(
    host: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url.replace("HOST", host)
    fetch(data_of(None, {"interactions": url}))
    assert "s3cret" not in Path("raw/fetch.json").read_text()
    monkeypatch.setenv("PW", "an0ther")
    with pytest.raises(DataError, match=r"^data.interactions.file: http://.*40[13]") as raised:
        fetch(data_of(None, {"interactions": url}))
    assert "an0ther" not in str(raised.value)


@pytest.mark.parametrize(("path", "words"), [("missing", "no such file"), ("cut", "[Pp]ayload")])
def test_a_file_that_cannot_be_read_leaves_the_old_one(host: str, path: str, words: str) -> None:
    fetch(data_of(None, {"interactions": f"http://{host}/a.csv"}))
    with pytest.raises(DataError, match=rf"^data.interactions.file: http://.*: .*{words}"):
        fetch(data_of(None, {"interactions": f"http://{host}/{path}.csv"}))
    assert Path("raw/interactions.csv").read_bytes() == CSV


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(DataError, match=r"^data.interactions.file: http://127.0.0.1:9/a.csv: "):
        fetch(data_of(None, {"interactions": "http://127.0.0.1:9/a.csv"}))


def test_files_of_a_folder_and_of_a_pattern_are_parts(folder: Path) -> None:
    (folder / "lake/event=view").mkdir(parents=True)
    (folder / "lake/event=buy").mkdir()
    for name in ("event=view/part-0.csv", "event=buy/part-0.csv", "_SUCCESS", "notes.txt"):
        (folder / "lake" / name).write_bytes(CSV)
    snapshot = fetch(data_of(None, {"interactions": f"file://{folder}/lake/*/part-*.csv"}))
    table = snapshot.tables["interactions"]
    assert table.file == "interactions"
    names = {"interactions/event=view/part-0.csv", "interactions/event=buy/part-0.csv"}
    assert table.digests.keys() == names
    snapshot = fetch(data_of(None, {"interactions": f"file://{folder}/lake/"}))
    assert snapshot.tables["interactions"].digests.keys() == names | {"interactions/notes.txt"}
    with pytest.raises(DataError, match="no files"):
        fetch(data_of(None, {"interactions": f"file://{folder}/lake/*.parquet"}))


def test_a_url_that_nothing_reads() -> None:
    with pytest.raises(ConfigError, match="nothing reads URLs that begin with xyz://"):
        fetch(data_of(None, {"interactions": "xyz://a/b.csv"}))
    with pytest.raises(ConfigError, match=r'needs a package: pip install "gcsfs"'):
        fetch(data_of(None, {"interactions": "gs://a/b.csv"}))
