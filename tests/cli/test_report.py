from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower


def test_the_terminal_ends_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[Path, bool]] = []
    monkeypatch.setattr(
        "twotower.report.write_report",
        lambda out, *, anonymous: written.append((out, anonymous)),
    )
    monkeypatch.chdir(tmp_path)
    assert twotower("report").stdout == f"report: {tmp_path / 'report.html'}\n"
    twotower("report", "--out", "shop.html", "--anonymous")
    assert written == [(Path("report.html"), False), (Path("shop.html"), True)]


def test_before_the_pipeline_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert error_of("report") == (
        "hpo_results.json: no such file; run dvc repro, or dvc pull, first\n"
    )
    assert not (tmp_path / "report.html").exists()
