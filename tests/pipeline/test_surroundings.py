"""Where the pipeline runs, with what environment, and how often it is killed changes no byte."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import other_cpu
from tests.conftest import ODD_NAME
from tests.pipeline.project import N_TRIALS, Project
from tests.pipeline.test_repro import STAGES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sets what POSIX systems have")

MANY = 40
"""Trials that take seconds, so that a search is caught before it ends."""
REPRO = ("sh", "-c", f'umask 077; {sys.executable} -m dvc repro "$@"', "sh")
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


def test_bytes_are_the_same_in_poor_surroundings_on_another_cpu_after_a_kill(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deep below a folder of an odd name, too, and with `git config core.autocrlf true`.

    The CPU is the same where none can be disguised. The search, of more trials at first, is killed
    once it holds one.
    """
    clone = finished.clone(tmp_path / _deep() / "shop", "HEAD~1")
    assert not clone.path("dvc.lock").exists()
    (clone.root.parent / "site").mkdir()
    (clone.root.parent / "site" / "sitecustomize.py").write_text(NO_FORK, encoding="utf-8")
    if library := other_cpu.compiled(tmp_path):
        for name, value in other_cpu.variables(library, "zen2").items():
            monkeypatch.setenv(name, value)
    poor = Poor(clone.root)
    assert len(str(poor.root)) > 260
    poor.git("config", "core.autocrlf", "true")
    poor.git("rm", "-r", "--quiet", "--cached", ".")
    poor.git("reset", "--quiet", "--hard")
    poor.set("hpo.workers", 2)
    there = _killed_on_the_way(poor)
    output = poor.run(*REPRO)
    assert "spawned" in output
    done = f"{there} of {N_TRIALS}" if there < N_TRIALS else f"all {N_TRIALS}"
    assert f"{done} trials are done" in output
    assert poor.read("dvc.lock") == finished.read("dvc.lock")
    for stage in STAGES:
        names = finished.outputs(stage)
        assert poor.digests(*names) == finished.digests(*names)


def _deep() -> Path:
    odd = re.sub(r"[{}]", "", ODD_NAME)  # DVC itself stumbles over braces
    return Path(*[f"{odd} {number}" for number in range(15)])


def _killed_on_the_way(project: Project) -> int:
    """Kill a search of MANY trials; how many it leaves."""
    project.set("hpo.n_trials", MANY)
    repro = project.start(*REPRO, "hpo")
    process = 0
    while not process or project.live_trials() == 0:
        assert repro.poll() is None
        process = process or _searching(repro)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    repro.communicate()
    assert repro.returncode != 0
    there = project.live_trials()
    assert not project.path("hpo_results.json").exists()
    assert 0 < there < MANY
    project.set("hpo.n_trials", N_TRIALS)
    return there


def _searching(repro: "subprocess.Popen[str]") -> int:
    """Id of the stage's process, below a shell or not; 0 as long as there is none."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(repro.pid).children(recursive=True):
            if child.cmdline()[1:] == ["stages/hpo.py"]:
                return child.pid
    return 0
