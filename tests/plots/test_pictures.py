import os
import subprocess
import time

import plotly.graph_objects as go
import pytest

from twotower.plots.chart import Chart
from twotower.plots.pictures import BrowserError, find_browser, remove_pictures, write_pictures

CHART = Chart("bars", "Bars", go.Figure(go.Bar(y=[1, 2])))


def has_browser():
    try:
        find_browser()
    except BrowserError:
        return False
    return True


def fake_browser(tmp_path, monkeypatch, script):
    program = tmp_path / "browser"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(program))


@pytest.mark.skipif(not has_browser(), reason="no Chrome or Chromium on this machine")
def test_pictures_are_png_files(tmp_path):
    other = Chart("lines", "Lines", go.Figure(go.Scatter(y=[1, 2])))
    nothing = Chart("none", "None", None, "why")

    files = write_pictures([CHART, nothing, other], tmp_path)

    assert [path.name for path in files] == ["bars.png", "lines.png"]
    for path in files:
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(head[16:20], "big") == 2400


def test_no_figure_needs_no_browser(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))

    assert write_pictures([Chart("none", "None", None, "why")], tmp_path) == []


def test_no_browser_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr("choreographer.browsers.chromium.Chromium.find_browser", lambda **_: None)

    with pytest.raises(BrowserError, match="install one, run kaleido_get_chrome, or set BROWSER"):
        write_pictures([CHART], tmp_path)


def test_a_named_browser_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))

    with pytest.raises(BrowserError, match=r"BROWSER_PATH: no such file: .*absent"):
        find_browser()


@pytest.mark.skipif(os.name == "nt", reason="the fake browser is a shell script")
def test_a_browser_that_fails_is_one_line(tmp_path, monkeypatch, capfd):
    fake_browser(tmp_path, monkeypatch, "echo trouble >&2; exit 1")

    with pytest.raises(BrowserError, match="drew no picture") as error:
        write_pictures([CHART], tmp_path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="the fake browser is a shell script")
def test_a_browser_that_hangs_is_stopped(tmp_path, monkeypatch, capfd):
    pid_file = tmp_path / "pid"
    fake_browser(tmp_path, monkeypatch, f"echo $$ > {pid_file}; exec sleep 300")

    with pytest.raises(BrowserError, match="drew no picture within 1 seconds"):
        write_pictures([CHART], tmp_path, timeout=1)

    assert capfd.readouterr() == ("", "")
    deadline = time.monotonic() + 5
    while is_alive(pid_file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(pid_file.read_text().strip())


def is_alive(pid):
    command = ["ps", "-o", "stat=", "-p", pid]
    state = subprocess.run(command, capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("", "Z")


def test_old_pictures_are_removed_and_others_kept(tmp_path):
    for name in ("bars.png", "mine.png"):
        (tmp_path / name).touch()

    remove_pictures([CHART], tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]
