"""The packages of the image that serves are those that the service imports."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_serve import SECONDS, ask
from tests.conftest import REPOSITORY
from tests.deploy.only import canonical, modules_of, with_requirements
from tests.onnx.conftest import MODELS, trained
from twotower.serving import Recommender

LIST = REPOSITORY / "deploy" / "requirements-serve.txt"
LISTED = re.findall(r"^[a-z].*", LIST.read_text(encoding="utf-8"), re.MULTILINE)
OF_UVICORN = {"httptools"}
"""The protocol of our connections is its own made with this, which it does not require."""
HEAVY = {"torch", "mlflow", "dvc", "optuna", "scipy", "plotly", "sqlalchemy"}


@pytest.mark.slow
def test_the_service_imports_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')
    pytest.importorskip("onnxruntime", reason='needs pip install "twotower[onnx]"')
    model = trained(tmp_path / "model", index="f32", **MODELS["sequence"]).folder
    best = Recommender.load(model).recommend_from_history([1001, 1004], 3)
    log = tmp_path / "imports"
    command = [sys.executable, "-m", "tests.deploy.only", str(log), ",".join(LISTED)]
    command += ["serve", "--artifacts", str(model), "--port", "0", "--approximate"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while not (found := re.search(r"running on (http://\S+)", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            answer = ask(f"{found[1]}/recommend", {"user_ids": [100, 7], "k": 1})
            assert [row["source"] for row in answer["results"]] == ["model", "popularity"]
            answer = ask(f"{found[1]}/recommend", {"histories": [[1001, 1004]], "k": 3})
            assert answer["results"][0]["items"] == best.item_ids[0]
            ask(f"{found[1]}/recommend", {"user_ids": [100], "k": 1, "diversity": 0.5})
            ask(f"{found[1]}/similar", {"item_ids": [1001], "k": 1})
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)
    imported = set(log.read_text().splitlines()) - sys.stdlib_module_names - {"twotower"}
    needed = {name for name in LISTED if modules_of(name) & imported} | OF_UVICORN
    assert needed == set(LISTED)
    assert imported <= set().union(*map(modules_of, LISTED))


def test_nothing_of_the_pipeline_is_listed() -> None:
    assert not HEAVY & with_requirements(LISTED)


def test_each_has_its_version() -> None:
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    names = {canonical(name) for name in re.findall(r"^([\w.-]+)==", pinned, re.MULTILINE)}
    assert set(map(canonical, LISTED)) <= names
    assert sorted(LISTED) == LISTED
