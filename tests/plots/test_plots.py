"""The package and its stage as a whole."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plots.searches import SPACE, random_trials, trial, write_search, write_trials
from twotower import plots
from twotower.plots import BrowserError, write_plots

STAGE = Path(__file__).parents[2] / "stages" / "visualize.py"
PAGES = [
    "hpo_history.html",
    "hpo_param_importance.html",
    "hpo_parallel_coordinate.html",
    "pareto_front.html",
]
FAILED = trial(None, "FAIL", lr=0.01, loss="mse")
PRUNED = trial(None, "PRUNED", lr=0.02, dim=8)
CONDITIONAL = [
    trial(0.1, loss="mse"),
    trial(0.2, loss="softmax", dim=8),
    FAILED,
    trial(0.15, loss="softmax", dim=64, lr=0.01),
]


def run_stage(folder, **environment):
    return subprocess.run(
        [sys.executable, str(STAGE)],
        check=False,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("rows", "figures"),
    [
        ([], 0),
        ([FAILED], 0),
        ([FAILED, PRUNED], 0),
        (random_trials(1), 1),
        (random_trials(2), 3),
        ([*random_trials(1), FAILED], 1),
        ([FAILED, *random_trials(3), PRUNED], 3),
        (CONDITIONAL, 3),
        ([trial(0.1, lr=0.01, dim=8)] * 5, 1),
        ([trial(0.1, lr=0.01), trial(0.2, lr=0.02)], 2),
        (random_trials(20), 3),
    ],
)
def test_every_search_gives_all_pages_with_a_chart_or_a_sentence(tmp_path, rows, figures):
    results = write_search(tmp_path, rows)

    written = write_plots(results, tmp_path / "plots", static="never")

    assert [path.name for path in written.files] == [*PAGES, "plotly.min.js"]
    pages = [path.read_text() for path in written.files[:4]]
    assert sum("Plotly.newPlot" in page for page in pages) == figures
    assert sum("<p>" in page for page in pages) == 4 - figures


def test_bytes_are_equal_in_processes_with_other_hash_seeds(tmp_path):
    """This process has yet another."""
    rows = [*random_trials(8), FAILED, PRUNED, *CONDITIONAL]
    results = write_search(tmp_path, rows, SPACE)
    (tmp_path / "params.yaml").write_text("visualize: {static: never}\n")
    verdict = {"scored": False, "reason": "there is no test split", "verdict": None}
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "verdict.json").write_text(json.dumps(verdict))
    write_trials(tmp_path / "metrics" / "hpo_trials.csv", rows)
    done = run_stage(tmp_path, PYTHONHASHSEED="1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:5] == [f"plots{os.sep}{name}" for name in [*PAGES, "plotly.min.js"]]
    assert all(line.startswith("next: ") for line in lines[5:-1])
    assert lines[-1].startswith("note: no report.html: ")  # the folder holds a search only
    write_plots(
        results,
        tmp_path / "here",
        static="never",
        verdict_file=tmp_path / "metrics/verdict.json",
        trials_file=tmp_path / "metrics/hpo_trials.csv",
    )
    there, here = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("plots", "here")
    )
    assert there == here


def test_the_stage_names_a_missing_input_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "params.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(STAGE)])

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(STAGE), run_name="__main__")

    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "error: hpo_results.json: no such file; run dvc repro hpo or dvc pull first\n"
    )


def test_plots_and_report_import_only_what_they_draw_with():
    heavy = "{'matplotlib', 'mlflow', 'torch'}"
    code = f"import sys, twotower.plots, twotower.report; print(*({heavy} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


@pytest.fixture
def no_browser(monkeypatch):
    def fail(*_):
        raise BrowserError("no browser")

    monkeypatch.setattr(plots, "write_pictures", fail)


@pytest.mark.usefixtures("no_browser")
def test_auto_without_a_browser_is_a_note_and_leaves_no_old_picture(tmp_path):
    results = write_search(tmp_path, random_trials(3))
    old = tmp_path / "plots" / "static" / "hpo_history.png"
    old.parent.mkdir(parents=True)
    old.touch()

    written = write_plots(results, tmp_path / "plots", static="auto")

    assert len(written.files) == 5
    assert written.notes == ["no PNG files: no browser (visualize.static: never hides this line)"]
    assert not old.exists()


@pytest.mark.usefixtures("no_browser")
def test_always_without_a_browser_is_an_error(tmp_path):
    results = write_search(tmp_path, random_trials(3))

    with pytest.raises(BrowserError, match="no browser"):
        write_plots(results, tmp_path / "plots", static="always")


@pytest.mark.usefixtures("no_browser")
def test_never_asks_for_no_browser(tmp_path):
    results = write_search(tmp_path, random_trials(3))

    assert write_plots(results, tmp_path / "plots", static="never").notes == []
