import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.serving.conftest import LINE, write_model
from twotower.common.errors import ArtifactError
from twotower.serving.live_model import FolderWatcher, LiveModel


def write(folder: Path, name: str) -> Path:
    """A model whose only answer is the item `name`."""
    return write_model(folder, [[1.0]], [[1.0]], [], items=[name])


def answer(live: LiveModel) -> str:
    [[item]] = live.served.recommender.recommend([100]).item_ids
    return str(item)


def test_another_model_takes_over(tmp_path: Path) -> None:
    live = LiveModel(write(tmp_path / "m", "a"))
    first = live.served.version
    assert not live.refresh()
    write(tmp_path / "m", "b")
    assert answer(live) == "a"
    assert live.refresh()
    assert (answer(live), live.problem) == ("b", None)
    write(tmp_path / "m", "a")
    assert live.refresh()
    assert live.served.version == first


def test_the_same_model_written_again_is_no_other(tmp_path: Path) -> None:
    live = LiveModel(write(tmp_path / "m", "a"))
    write(tmp_path / "m", "a")
    assert not live.refresh()
    assert live.problem is None


@pytest.mark.parametrize("damage", ["gone", "no meta", "half", "nonsense"])
def test_what_is_no_whole_model_changes_nothing(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "m"
    live = LiveModel(write(folder, "a"))
    other = write(tmp_path / "other", "b")
    if damage == "gone":
        shutil.rmtree(folder)
    elif damage == "no meta":
        (folder / "model_meta.json").unlink()
    elif damage == "half":  # copied over in place, in an unlucky order
        shutil.copy(other / "model_meta.json", folder)
    else:
        (folder / "model_meta.json").write_text("[]")
    assert not live.refresh()
    assert answer(live) == "a"
    assert live.problem is not None
    shutil.copytree(other, folder, dirs_exist_ok=True)
    assert live.refresh()
    assert (answer(live), live.problem) == ("b", None)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in folders")
def test_a_pipe_in_the_place_of_the_model_is_not_waited_for(tmp_path: Path) -> None:
    meta = write(tmp_path / "m", "a") / "model_meta.json"
    live = LiveModel(tmp_path / "m")
    meta.unlink()
    os.mkfifo(meta)
    assert not live.refresh()
    assert "model_meta.json is no regular file" in str(live.problem)


def test_files_that_were_changed_are_not_served(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", "a")
    with (folder / "user_vecs.npy").open("r+b") as handle:
        handle.seek(-1, 2)
        handle.write(b"\x00")
    with pytest.raises(ArtifactError, match=r"user_vecs\.npy does not match its digest"):
        LiveModel(folder)
    (folder / "user_vecs.npy").unlink()
    with pytest.raises(ArtifactError, match="not a complete model folder"):
        LiveModel(folder)
    with pytest.raises(ArtifactError, match="not a complete model folder"):
        LiveModel(tmp_path)


def test_no_request_sees_a_mixture(tmp_path: Path) -> None:
    models = {}
    for name in ("a", "b"):
        models[LiveModel(write(tmp_path / name, name)).served.version] = name
    live = LiveModel(write(tmp_path / "m", "a"))
    wrong: list[object] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            served = live.served
            try:
                items = served.recommender.recommend([100, 7]).item_ids
            except Exception as error:
                wrong.append(error)
                return
            if items != [[models[served.version]]] * 2:
                wrong.append(items)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    swapped = []
    for name in ("b", "a", "b"):
        write(tmp_path / "m", name)
        swapped.append(live.refresh())
    done.set()
    for thread in threads:
        thread.join()
    assert swapped == [True] * 3
    assert not wrong


def test_the_watcher_refreshes_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveModel(write_model(tmp_path / "m", [[1.0]], LINE, []))
    looked = threading.Semaphore(0)

    def refresh() -> bool:
        looked.release()
        msg = "a bug"
        raise RuntimeError(msg)

    monkeypatch.setattr(live, "refresh", refresh)
    watcher = FolderWatcher(live, 0.001, lambda _: None)
    watcher.start()
    for _ in range(3):
        assert looked.acquire(timeout=60)
    watcher.stop()
    assert "a bug" in caplog.text
