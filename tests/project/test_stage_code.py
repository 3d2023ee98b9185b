"""Stages of a project depend on digests of the code that the repository's depend on."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.common.yaml_file import parse_yaml
from twotower.project import stage_code
from twotower.project.stage_code import RECORD, code_digests, project_dvc_yaml

TEXT = (REPOSITORY / "dvc.yaml").read_text(encoding="utf-8")
STAGES = parse_yaml(TEXT, "dvc.yaml")["stages"]


def test_a_project_has_the_stages_of_the_repository() -> None:
    own = parse_yaml(project_dvc_yaml(TEXT), "dvc.yaml")
    assert own["plots"] == parse_yaml(TEXT, "dvc.yaml")["plots"]
    assert list(own["stages"]) == list(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_the_digest_takes_the_place_of_the_files_of_the_package(stage: str) -> None:
    own = parse_yaml(project_dvc_yaml(TEXT), "dvc.yaml")["stages"][stage]
    assert {RECORD: [f"stages.{stage}"]} in own["params"]
    others = [key for key in own["params"] if not isinstance(key, dict)]
    deps = [dep for dep in STAGES[stage]["deps"] if not dep.startswith("twotower/")]
    assert own == STAGES[stage] | {"params": own["params"], "deps": deps}
    assert others == STAGES[stage]["params"]


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("plots/pages.py", {"visualize"}),
        ("training/losses.py", {"hpo", "refit"}),
        ("common/seeds.py", {"prepare", "hpo", "refit", "visualize"}),
        ("cli/check.py", set()),
    ],
)
def test_a_change_of_the_code_is_one_of_the_stages_that_run_it(
    module: str, stages: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_digests()
    assert before.keys() == STAGES.keys()
    package = tmp_path / "twotower"
    shutil.copytree(REPOSITORY / "twotower", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(stage_code, "PACKAGE", package)
    assert code_digests() == before
    with (package / module).open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    after = code_digests()
    assert {stage for stage in STAGES if after[stage] != before[stage]} == stages
