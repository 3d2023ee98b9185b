"""The log of what was recommended to whom."""

import errno
import json
import logging
import shutil
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import LINE, write_model
from twotower.common.errors import ConfigError
from twotower.serving import Recommender, exposures
from twotower.serving.exposures import ExposureLog, check_folder
from twotower.serving.recommendations import Recommendations


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Recommendations:
    """Of user 100, and of 7, who is unknown."""
    folder = write_model(tmp_path_factory.mktemp("exposed") / "m", [[1.0]], LINE, [(0, 4)])
    return Recommender.load(folder).recommend([100, 7], k=2)


class Kept(Counter[str]):
    """Counts what became of lines."""

    def __call__(self, outcome: str, rows: int) -> None:
        self[outcome] += rows


def lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("exposures-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def written(log: ExposureLog) -> None:
    """Write what is waiting, as the thread does."""
    log._write_waiting()


def test_each_row_is_a_line(tmp_path: Path, found: Recommendations) -> None:
    kept = Kept()
    log = ExposureLog(tmp_path, kept)
    log.start()
    log.add("r1", "v1", found)
    log.stop()
    first, second = lines(tmp_path)
    assert (moment := first.pop("time")) == second.pop("time")
    assert abs(datetime.fromisoformat(moment).timestamp() - time.time()) < 60
    assert first == {"request_id": "r1", "model": "v1", "user_id": 100, "source": "model",
                     "items": [1003, 1002], "experiment": None, "arm": None}  # fmt: skip
    assert (second["user_id"], second["source"]) == (7, "popularity")
    assert kept == {"written": 2}


def test_another_file_is_begun_when_one_is_large_or_old(
    tmp_path: Path, found: Recommendations, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ExposureLog(tmp_path, Kept())
    for limit in ("LARGEST", "LONGEST"):
        monkeypatch.setattr(exposures, limit, 0)
        for _ in range(2):
            log.add("r", "v", found)
            written(log)
        monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 4
    assert len(lines(tmp_path)) == 8


def test_two_processes_never_share_a_file(tmp_path: Path, found: Recommendations) -> None:
    logs = [ExposureLog(tmp_path, Kept()) for _ in range(2)]
    for log in logs:
        log.add("r", "v", found)
        written(log)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be deleted there")
def test_lines_are_not_written_into_a_file_that_was_deleted(
    tmp_path: Path, found: Recommendations
) -> None:
    kept, folder = Kept(), tmp_path / "log"
    folder.mkdir()
    log = ExposureLog(folder, kept)
    for name, then in (("deleted", shutil.rmtree), ("lost", Path.mkdir), ("kept", Path.stat)):
        log.add(name, "v", found)
        written(log)
        then(folder)
    assert [line["request_id"] for line in lines(folder)] == ["kept", "kept"]
    assert kept == {"written": 4, "lost": 2}


class FullDisk:
    """A handle whose disk takes so many bytes."""

    def __init__(self, handle: Any, room: int) -> None:
        self._handle, self.room = handle, room

    def write(self, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._handle.write(data[: self.room])
        self.room -= taken
        return int(taken)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


def test_a_full_disk_loses_lines_but_leaves_none_in_part(
    tmp_path: Path, found: Recommendations, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept()
    log = ExposureLog(tmp_path, kept)
    log.add("before", "v", found)
    written(log)
    assert log._file is not None
    log._file._handle = full = FullDisk(log._file._handle, 40)
    for name in ("lost", "too"):
        log.add(name, "v", found)
        written(log)
    full.room = 10**6
    log.add("after", "v", found)
    with caplog.at_level(logging.INFO):
        written(log)
    assert [line["request_id"] for line in lines(tmp_path)] == ["before"] * 2 + ["after"] * 2
    assert kept == {"written": 4, "lost": 4}
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "No space left" in caplog.text


def test_what_does_not_fit_is_lost_and_nobody_waits(
    tmp_path: Path, found: Recommendations, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept()
    log = ExposureLog(tmp_path, kept)
    log.add("one", "v", found)
    monkeypatch.setattr(exposures, "MOST", log._size + 10)
    log.add("two", "v", found)
    assert kept == {"lost": 2}
    written(log)
    log.add("three", "v", found)
    written(log)
    assert [line["request_id"] for line in lines(tmp_path)] == ["one"] * 2 + ["three"] * 2


def test_nothing_is_lost_or_mixed_up_between_threads(
    tmp_path: Path, found: Recommendations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposures, "PAUSE", 0.0001)
    log = ExposureLog(tmp_path, Kept())
    log.start()
    names = [f"{thread}-{turn}" for thread in range(4) for turn in range(50)]

    def add(some: list[str]) -> None:
        for name in some:
            log.add(name, "v", found)

    threads = [threading.Thread(target=add, args=(names[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.stop()
    assert Counter(line["request_id"] for line in lines(tmp_path)) == dict.fromkeys(names, 2)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="--exposures: cannot write to the folder"):
        check_folder(tmp_path / "file")


def test_the_service_logs_what_it_recommends_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')
    from fastapi.testclient import TestClient

    from twotower.serving.http_app import ServeOptions, create_app

    folder = write_model(tmp_path / "m", [[1.0]], LINE, [(0, 4)])
    options = ServeOptions(artifacts=folder, poll=0, exposures=tmp_path)
    with TestClient(create_app(options)) as client:
        name = {"x-request-id": "r"}
        answer = client.post("/recommend", json={"user_ids": [100]}, headers=name).json()
        client.post("/recommend", json={"histories": [[1000]], "k": 1}, headers=name)
        client.post("/similar", json={"item_ids": [1000]})
        client.post("/recommend", json={"user_ids": ["x"]})
    known, new = lines(tmp_path)
    assert known["items"] == answer["results"][0]["items"]
    assert (known["user_id"], known["model"], known["request_id"]) == (100, answer["model"], "r")
    assert (new["user_id"], new["source"], len(new["items"])) == (None, "fold-in", 1)
