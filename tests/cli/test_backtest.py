import json
from pathlib import Path
from typing import Any

import pytest

from tests.backtest.contents import content
from tests.cli.command import error_of, twotower


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("data: {root: raw}\n", encoding="utf-8")


def test_flags_reach_the_backtest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def run(config: Any, every: int, folds: int, _root: Path) -> dict[str, Any]:
        asked.append((config.hpo.n_trials, every, folds))
        return content()

    monkeypatch.setattr("twotower.backtest.run.backtest", run)
    printed = twotower("backtest").stdout
    assert printed.splitlines()[1].startswith("A model that is 1 day older: loses 25%")
    assert printed.splitlines()[-1] == "files: backtest/; twotower report shows them"
    twotower("backtest", "--every", "12h", "--folds", 3, "--n-trials", 5, "--out", "other")
    assert asked == [(20, 7 * 86_400, 8), (5, 43_200, 3)]
    for folder in ("backtest", "other"):
        written = json.loads(Path(folder, "backtest.json").read_text(encoding="utf-8"))
        assert written["n_trials"] == 4


def test_mistakes_are_one_line() -> None:
    assert error_of("backtest", "--every", "1m").startswith("--every: '1m' is no length of time")
    assert error_of("backtest") == "raw: no such folder (data.root)\n"
    Path("file").write_text("", encoding="utf-8")
    assert error_of("backtest", "--out", "file").startswith("file/backtest.json: file is a file")
    assert twotower("backtest", "--folds", 0, status=2).stderr
    assert not Path("backtest").exists()
