"""Where the pipeline runs, and with what environment, changes none of its bytes."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ODD_NAME
from tests.pipeline.project import Project
from tests.pipeline.test_repro import STAGES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sets what POSIX systems have")

NO_FORK = """
import importlib.abc, importlib.util, sys

class Spawns(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "twotower.search.workers.local":
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            execute = spec.loader.exec_module
            def execute_and_patch(module):
                execute(module)
                module.can_fork = lambda threads: print("spawned")
            spec.loader.exec_module = execute_and_patch
            return spec

sys.meta_path.insert(0, Spawns())
"""
"""A sitecustomize.py with which workers are started as on macOS and Windows."""


class Poor(Project):
    """A checkout on a machine that lacks much: no home, no temporary folder, no user of git, …"""

    @property
    def environment(self) -> dict[str, str]:
        outer = {k: v for k, v in super().environment.items() if not k.startswith(("GIT_", "LC_"))}
        path = os.pathsep.join([str(self.root.parent / "site"), str(self.root)])
        return outer | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "HOME": "/dev/null",
            "LANG": "C",
            "PYTHONHASHSEED": "7",
            "PYTHONPATH": path,
            "TERM": "dumb",
            "TMPDIR": "/dev/null/nowhere",
            "TZ": "Pacific/Apia",
        }


@pytest.mark.long
def test_bytes_are_the_same_in_poor_surroundings(finished: Project, tmp_path: Path) -> None:
    """Deep below a folder of an odd name, too, and with `git config core.autocrlf true`."""
    odd = re.sub(r"[{}]", "", ODD_NAME)  # DVC itself stumbles over braces
    deep = Path(*[f"{odd} {number}" for number in range(15)])
    clone = finished.clone(tmp_path / deep / "shop", "HEAD~1")
    (clone.root.parent / "site").mkdir()
    (clone.root.parent / "site" / "sitecustomize.py").write_text(NO_FORK, encoding="utf-8")
    poor = Poor(clone.root)
    assert len(str(poor.root)) > 260
    poor.git("config", "core.autocrlf", "true")
    poor.git("rm", "-r", "--quiet", "--cached", ".")
    poor.git("reset", "--quiet", "--hard")
    poor.set("hpo.workers", 2)
    output = poor.run("sh", "-c", f"umask 077; {sys.executable} -m dvc repro")
    assert "spawned" in output
    assert poor.read("dvc.lock") == finished.read("dvc.lock")
    for stage in STAGES:
        names = finished.outputs(stage)
        assert poor.digests(*names) == finished.digests(*names)
