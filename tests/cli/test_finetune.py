"""`twotower finetune`; the whole of it is in tests/pipeline."""

from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower


@pytest.mark.parametrize(
    "arguments",
    [(), ("--from", "champion", "--reset"), ("--reset", "--epochs", 1), ("--epochs", 1)],
)
def test_what_is_wanted_must_be_clear(arguments: tuple[str, ...]) -> None:
    assert "give either --from champion, --from FOLDER or --reset" in error_of(
        "finetune", *arguments
    )


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "nowhere: no such folder" in error_of("finetune", "--from", "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_reset_leaves_what_a_new_project_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "start_model" / "model").mkdir(parents=True)
    (tmp_path / "data" / "start_model" / "model.dvc").touch()
    said = twotower("finetune", "--reset").stdout
    assert said == "data/start_model is empty: the next run searches and trains anew\n"
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["start.json"]
    assert files[0].read_bytes() == b"{}\n"
