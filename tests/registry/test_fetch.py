"""The champion's folder is put where it is served: a folder, a link, a volume."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.common.mounts import KINDS, Killed, mounted, stop_renaming
from tests.conftest import ODD_NAME
from tests.registry.conftest import GOOD, MLFLOW, POOR, Shop, Workspace
from twotower.artifacts import META, load_artifacts, verify_artifacts
from twotower.common.errors import ArtifactError, ConfigError, RegistryError
from twotower.registry.fetch import fetch
from twotower.registry.versions import Registry
from twotower.serving.live_model import LiveModel


def test_without_a_champion_there_is_nothing_to_fetch(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="shop has no champion"):
        fetch(registry, tmp_path / "served")


def test_what_is_fetched_is_the_champion(promoted: Shop, tmp_path: Path) -> None:
    out = tmp_path / "served"
    assert fetch(promoted.registry, out) == (2, True)
    before = LiveModel(out).served.version
    assert not promoted.promote(number=1).promoted
    stamp = (out / META).stat().st_mtime_ns
    assert fetch(promoted.registry, out) == (2, False)
    assert (out / META).stat().st_mtime_ns == stamp  # not even replaced
    live = LiveModel(out)
    assert live.served.version == before
    assert fetch(promoted.registry, tmp_path / "challenger", 1) == (1, True)
    with pytest.raises(RegistryError, match="shop has no version 3"):
        fetch(promoted.registry, out, 3)
    promoted.promote(number=1, force=True)
    assert fetch(promoted.registry, out) == (1, True)
    assert fetch(promoted.registry, tmp_path / "challenger", 1) == (1, False)
    assert live.refresh()


def test_a_shop_in_a_folder_of_any_name(tmp_path: Path, empty_mlflow: Path) -> None:
    root = tmp_path / ODD_NAME
    root.mkdir()
    shutil.copy(empty_mlflow, root)
    odd = Shop(Workspace(root), Registry(MLFLOW, root))
    for number, quality in ((1, POOR), (2, GOOD)):
        odd.register(odd.workspace.model(str(quality), quality))
        assert odd.promote().promoted
        assert fetch(odd.registry, root / "served") == (number, True)
        assert load_artifacts(root / "served").meta["quality"] == quality
    assert list(tmp_path.iterdir()) == [root]


def test_fetch_replaces_nothing_but_model_folders(promoted: Shop, tmp_path: Path) -> None:
    precious = tmp_path / "thesis" / "chapter.txt"
    precious.parent.mkdir()
    precious.write_text("1")
    with pytest.raises(RegistryError, match="thesis is not a model folder, so it is not replaced"):
        fetch(promoted.registry, precious.parent)
    with pytest.raises(ConfigError, match=r"chapter\.txt is a file, so nothing can be put there"):
        fetch(promoted.registry, precious / "served")
    assert precious.read_text() == "1"
    damaged = promoted.workspace.model("damaged", POOR)
    (damaged / "item_vecs.npy").write_bytes(b"")
    fetch(promoted.registry, damaged)
    LiveModel(damaged)


def test_files_that_were_changed_in_the_store_are_refused(shop: Shop, tmp_path: Path) -> None:
    shop.register(shop.workspace.model("champion", GOOD))
    shop.promote()
    [stored] = [
        meta.parent for meta in shop.registry.root.rglob(META) if "recommender" in meta.parts
    ]
    shutil.copytree(shop.workspace.model("another", POOR), stored, dirs_exist_ok=True)
    with pytest.raises(RegistryError, match="version 1 of shop: its files are not those that were"):
        fetch(shop.registry, tmp_path / "served")
    (stored / "item_vecs.npy").write_bytes(b"")
    with pytest.raises(RegistryError, match=r"item_vecs\.npy does not match its digest"):
        fetch(shop.registry, tmp_path / "served")
    assert not (tmp_path / "served").exists()


def test_an_empty_folder_and_a_link_can_be_fetched_into(rivals: Shop, tmp_path: Path) -> None:
    versions, link = tmp_path / "versions", tmp_path / "current"
    for name in ("v1", "v2"):
        (versions / name).mkdir(parents=True)
    link.symlink_to("versions/v1")
    for number, quality in ((1, POOR), (2, GOOD)):
        rivals.promote(number=number)
        assert fetch(rivals.registry, link) == (number, True)
        assert link.readlink() == Path("versions/v1")
        assert load_artifacts(versions / "v1").meta["quality"] == quality
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_volume_with_an_older_model_is_fetched_into(
    promoted: Shop, tmp_path: Path, kind: str
) -> None:
    with mounted(kind, tmp_path / "served", promoted.workspace.model("older", POOR)):
        live = LiveModel(tmp_path / "served", mmap=True)
        assert fetch(promoted.registry, tmp_path / "served") == (2, True)
        assert live.refresh()
        assert live.served.recommender.artifacts.meta["quality"] == GOOD
        assert fetch(promoted.registry, tmp_path / "served") == (2, False)


def test_nobody_reads_a_mixture_while_a_volume_changes(
    promoted: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks into the folder before each file that is moved."""
    out = promoted.workspace.model("served", POOR)
    live, readable = LiveModel(out), []
    older = live.served.version
    rename = Path.rename

    def looked(self: Path, target: Path) -> None:
        assert not live.refresh()
        assert live.served.version == older
        try:
            load_artifacts(out)
            verify_artifacts(out)
            readable.append(True)
        except ArtifactError:
            readable.append(False)
        rename(self, target)

    monkeypatch.setattr(Path, "rename", looked)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == out)
    assert fetch(promoted.registry, out) == (2, True)
    assert readable == [True] + [False] * (len(readable) - 1)
    assert live.refresh()
    assert live.served.version != older
    assert live.problem is None


def test_fetch_repairs_what_a_kill_has_left_in_a_volume(
    promoted: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = promoted.workspace.model("served", POOR)
    live = LiveModel(out)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == out)
    with monkeypatch.context() as patch:
        stop_renaming(patch, 5, killed=True)
        with pytest.raises(Killed):
            fetch(promoted.registry, out)
    assert not live.refresh()
    assert live.served.recommender.artifacts.meta["quality"] == POOR
    assert fetch(promoted.registry, out) == (2, True)
    assert live.refresh()
    assert live.served.recommender.artifacts.meta["quality"] == GOOD
    assert not list(out.glob(".tmp-*"))


@pytest.mark.parametrize("is_mount", [False, True])
def test_two_fetches_at_a_time_leave_a_whole_model(
    promoted: Shop, monkeypatch: pytest.MonkeyPatch, is_mount: bool
) -> None:
    """The other comes when this one is about to move its first file or folder."""
    out = promoted.workspace.model("served", POOR)
    monkeypatch.setattr(os.path, "ismount", lambda path: is_mount and Path(path) == out)
    name = "rename" if is_mount else "replace"
    move, others = getattr(Path, name), []

    def interrupted(self: Path, target: Path) -> None:
        if not others and self.is_relative_to(out):
            others.append(None)
            fetch(promoted.registry, out)
        move(self, target)

    monkeypatch.setattr(Path, name, interrupted)
    told = pytest.raises(RegistryError, match="served is replaced by another program at the same")
    with told if is_mount else nullcontext():
        fetch(promoted.registry, out)
    assert fetch(promoted.registry, out)[0] == 2
    verify_artifacts(out)
    assert load_artifacts(out).meta["quality"] == GOOD
    assert not list(out.parent.glob(".tmp-*")) + list(out.glob(".tmp-*"))
