"""Files of buckets, from an S3 server on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fetch.conftest import data_of
from twotower.common.errors import DataError
from twotower.fetch.fetch import fetch

pytestmark = pytest.mark.slow
SECRET = "s3cret-s3cret"  # noqa: S105 - of a server that takes any
CSV = b"user_id,item_id\n1,2\n"
KEYS = ("shop/day=1/part-0.csv", "shop/day=2/part-0.csv", "shop/_SUCCESS", "odd/../../up.csv")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server: Any = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def bucket(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="lake")
    for key in KEYS:
        client.put_object(Bucket="lake", Key=key, Body=CSV)


@pytest.mark.parametrize("url", ["s3://lake/shop/", "s3://lake/shop/*/part-*.csv"])
def test_files_below_a_prefix_and_of_a_pattern_are_parts(url: str) -> None:
    table = fetch(data_of(None, {"interactions": url})).tables["interactions"]
    assert table.file == "interactions"
    assert table.digests.keys() == {f"interactions/day={n}/part-0.csv" for n in (1, 2)}
    assert Path("raw/interactions/day=1/part-0.csv").read_bytes() == CSV
    assert SECRET not in Path("raw/fetch.json").read_text()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://lake/absent.csv", "s3://lake/absent.csv: no such file"),
        ("s3://absent/a.csv", "s3://absent/a.csv: no such file"),
        ("s3://lake/*.csv", r"s3://lake/\*.csv: no files"),
        ("s3://lake/odd/", "the name of a file leads elsewhere"),
    ],
)
def test_what_is_not_there_is_one_line(url: str, words: str) -> None:
    with pytest.raises(DataError, match=rf"^data.items.file: {words}"):
        fetch(data_of(None, {"interactions": f"s3://lake/{KEYS[0]}", "items": url}))
    assert list(Path().iterdir()) == []


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DataError, match="Unable to locate credentials"):
        fetch(data_of(None, {"interactions": f"s3://lake/{KEYS[0]}"}))
