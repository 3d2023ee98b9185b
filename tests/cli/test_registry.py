"""`twotower registry`."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower
from tests.registry.conftest import MLFLOW, Workspace, _own_environment  # noqa: F401
from twotower.registry.versions import CANDIDATE, Registry

GOOD, POOR = 0.9, 0.1
ALL = ("train", "validation", "test")


@pytest.fixture
def shop(workspace: Workspace, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A repository whose pipeline has run, which is the current folder."""
    assert not registry.versions()
    root = workspace.root
    for path, target in ((workspace.prepared, "data"), (workspace.metrics, "metrics")):
        (root / target).mkdir()
        path.rename(root / target / path.name)
    workspace.prepared = root / "data" / "prepared"
    params = {"hpo": {"objective": "mrr"}, "mlflow": MLFLOW.model_dump()}
    (root / "params.yaml").write_text(json.dumps(params))
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return workspace


def register(shop: Workspace, quality: float, trained_on: tuple[str, ...] = ALL[:2]) -> str:
    shop.model(".artifacts_best", quality, trained_on)
    return twotower("registry", "register").stdout


def test_from_a_candidate_to_a_served_champion(shop: Workspace, begun: list[str]) -> None:
    assert "shop has no champion" in error_of("registry", "fetch", "--out", "served")
    named = ".artifacts_best as version 1 of shop: candidate\n"
    assert register(shop, GOOD) == f"registered {named}"
    again = ".artifacts_best is version 1 of shop already: candidate\n"
    assert twotower("registry", "register").stdout == again
    first = twotower("registry", "promote").stdout
    assert first.startswith("version 1 of shop is the champion: it is the first champion")
    fetch = ["registry", "fetch", "--out", "served"]
    assert twotower(*fetch).stdout == "served holds version 1 of shop now\n"
    assert twotower(*fetch).stdout == "served holds version 1 of shop already\n"

    begun.clear()
    register(shop, POOR)
    loads = ["loading libraries", "loading libraries", "connecting to MLflow"]
    assert begun == [*loads, "register", "checking model and data", "uploading"]
    comparison, decision = twotower("registry", "promote", status=3).stdout.splitlines()
    assert comparison.startswith("mrr over 18 users: candidate 0.")
    assert decision.startswith("version 2 of shop stays a candidate: it does not beat version 1")
    assert ", by force: " in twotower("registry", "promote", "--force").stdout
    back = twotower("registry", "promote", "--version", 1).stdout.splitlines()[-1]
    assert back.startswith("version 1 of shop is the champion: it beats version 2: +0.")
    newest, oldest = twotower("registry", "list").stdout.splitlines()
    assert newest.startswith(f"   2  {CANDIDATE} ")
    assert oldest.startswith("   1  champion ")
    assert '"promoted": true' in oldest


def test_a_copied_checkout_is_told_and_repaired(
    shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(shop, GOOD)
    twotower("registry", "promote")
    new = Path(shutil.copytree(shop.root, tmp_path / "copy"))
    monkeypatch.chdir(new)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # which mlflow itself sets, for this process
    for command in (["fetch", "--out", "served"], ["register"], ["promote"], ["list"]):
        error = error_of("registry", *command)
        assert error.startswith(f"mlflow.db names artifacts in {shop.root / 'mlruns'}: ")
        assert error.endswith("run: twotower tracking relocate\n")
    done = f"4 locations changed from {shop.root / 'mlruns'} to {new / 'mlruns'}\n"
    assert twotower("tracking", "relocate").stdout == done
    shutil.rmtree(shop.root / "mlruns")
    fetched = twotower("registry", "fetch", "--out", "served").stdout
    assert fetched == "served holds version 1 of shop now\n"
    assert twotower("tracking", "relocate").stdout.startswith("nothing to relocate")


def test_what_cannot_be_compared_has_a_status_of_its_own(shop: Workspace) -> None:
    register(shop, POOR, ALL)
    twotower("registry", "promote")
    register(shop, GOOD)
    ran = twotower("registry", "promote", status=4)
    assert ran.stderr.startswith("error: version 2 is not promoted: 60 of 60 test rows")


def test_other_errors_are_one_line(shop: Workspace, tmp_path: Path) -> None:
    assert "shop has no candidate" in error_of("registry", "promote")
    shop.metrics = tmp_path / "metrics" / "test.json"
    shop.metrics.unlink()
    shop.model(".artifacts_best", GOOD)
    assert "test.json: cannot be read" in error_of("registry", "register")
