"""The stage ends with the page of the pipeline, or says why there is none."""

from pathlib import Path
from typing import cast

import pytest

from tests.conftest import REPOSITORY
from twotower.common.errors import DataError
from twotower.common.yaml_file import read_yaml
from twotower.plots import DrawnSearch, Written
from twotower.stages import visualize

SEARCH = cast(DrawnSearch, object())


def write_report(out: Path, search: DrawnSearch) -> None:
    """A page, of the search that was drawn."""
    assert search is SEARCH
    out.write_text("page", encoding="utf-8")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: the parameters, and a search whose plots are written elsewhere."""
    (tmp_path / "params.yaml").write_text("seed: 1\n", encoding="utf-8")
    written = Written(files=[], notes=[], advice=[], search=SEARCH)
    monkeypatch.setattr("twotower.plots.write_plots", lambda **_: written)
    monkeypatch.setattr("twotower.report.write_report", write_report)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_ends_with_the_path_of_the_page(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(workplace))  # as dvc repro does
    visualize._visualize()
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {workplace / 'report.html'}"
    assert Path("report.html").read_text(encoding="utf-8") == "page"


def test_where_there_can_be_no_page_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_out: Path, search: DrawnSearch) -> None:  # noqa: ARG001
        msg = "metrics/test.json: no such\nfile"
        raise DataError(msg)

    monkeypatch.setattr("twotower.report.write_report", fail)
    visualize._visualize()
    note = "note: no report.html: metrics/test.json: no such file"
    assert capsys.readouterr().out.splitlines()[-1] == note


def test_the_workspace_of_a_temporary_experiment_gets_none(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("repository")))
    visualize._visualize()
    assert not Path("report.html").exists()


def test_dvc_neither_keeps_nor_removes_the_page() -> None:
    stage = read_yaml(REPOSITORY / "dvc.yaml")["stages"]["visualize"]
    assert visualize.REPORT.as_posix() not in stage["outs"]
