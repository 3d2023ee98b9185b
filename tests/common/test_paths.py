"""Where things are kept that no stage declares."""

from pathlib import Path

import pytest

from twotower.common.paths import decompositions_folder, live_folder, repository_root


def test_the_repository_is_the_one_that_dvc_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert repository_root() == Path()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert decompositions_folder(repository_root()).parent == live_folder(tmp_path)
