"""What is pinned, when, and that every way into the package passes it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch

from benchmarks import other_cpu
from tests.conftest import REPOSITORY
from twotower.common import portable, stage
from twotower.common.errors import ConfigError
from twotower.common.portable import PINNED, PINS

on_such_a_cpu = pytest.mark.skipif(not portable.portable_here(), reason="needs Linux and AVX2")
DIGEST = """
import hashlib, sys
from pathlib import Path
import numpy as np, torch
from twotower.common.portable import capability
rng = np.random.default_rng(0)
one, other = rng.standard_normal((2, 257, 131), dtype=np.float32)
values = [one @ other.T, np.exp(one), np.linalg.svd(one)[1], one.sum(), one.std(0)]
a, b = torch.from_numpy(one), torch.from_numpy(other)
values += [a @ b.T, a.exp(), a.softmax(1), a.sum(), a.norm(dim=1), torch.linalg.svd(a)[1]]
parts = [hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:8] for value in values]
print(capability(), *parts)
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process on a CPU of the kind, in which nothing is loaded and nothing set."""
    for name in (*PINS, *portable.REFUSED):
        monkeypatch.setenv(name, "")  # so that what `pin` sets is undone
        monkeypatch.delenv(name)
    for name in [name for name in sys.modules if name in PINNED]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(portable, "portable_here", lambda: True)
    return monkeypatch


@pytest.mark.usefixtures("fresh")
def test_it_sets_what_the_libraries_read() -> None:
    assert not portable.is_pinned()
    assert portable.pin()
    assert portable.is_pinned()
    assert PINS.items() <= os.environ.items()


@pytest.mark.parametrize("library", PINNED)
def test_it_sets_nothing_once_a_library_is_loaded(fresh: pytest.MonkeyPatch, library: str) -> None:
    fresh.setitem(sys.modules, library, ModuleType(library))
    assert not portable.pin()
    assert not PINS.keys() & os.environ.keys()


def test_a_process_that_inherits_the_pins_may_have_loaded_them(fresh: pytest.MonkeyPatch) -> None:
    assert portable.pin()
    fresh.setitem(sys.modules, "torch", ModuleType("torch"))
    assert portable.pin()


def test_elsewhere_it_sets_nothing_and_says_what_it_needs(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(portable, "portable_here", lambda: False)
    assert not portable.pin()
    assert not PINS.keys() & os.environ.keys()
    assert "needs Linux on an x86-64 CPU with AVX2" in portable.why_not()


@pytest.mark.parametrize(
    ("system", "machine", "flags", "can"),
    [
        ("Linux", "x86_64", "fpu avx avx2 fma avx512f", True),
        ("Linux", "x86_64", "fpu avx fma", False),
        ("Linux", "aarch64", "fp asimd", False),
        ("Windows", "AMD64", "", False),
        ("Darwin", "x86_64", "", False),
    ],
)
def test_it_takes_linux_and_a_cpu_with_avx2(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, flags: str, can: bool
) -> None:
    monkeypatch.setattr(portable.platform, "system", lambda: system)
    monkeypatch.setattr(portable.platform, "machine", lambda: machine)
    monkeypatch.setattr(portable, "_cpu", lambda field: flags.split() if field == "flags" else [])
    assert portable.portable_here() == can


@pytest.mark.parametrize(("maker", "ending"), [("AuthenticAMD", " AMD"), ("GenuineIntel", "")])
def test_a_cpu_of_amd_is_another_unless_it_is_pinned(
    monkeypatch: pytest.MonkeyPatch, maker: str, ending: str
) -> None:
    monkeypatch.setattr(portable, "_cpu", lambda _: [maker])
    monkeypatch.setattr(portable, "in_effect", lambda: False)
    used = torch.backends.cpu.get_cpu_capability()
    assert portable.capability() == used + ending
    monkeypatch.setattr(portable, "in_effect", lambda: True)
    assert portable.capability() == "portable"


@pytest.mark.parametrize("name", ["MKL_CBWR", *portable.REFUSED])
def test_other_values_of_the_environment_are_refused(fresh: pytest.MonkeyPatch, name: str) -> None:
    fresh.setenv(name, "AUTO")
    with pytest.raises(ConfigError, match=rf"\({name}=AUTO\); unset {name}, or set portable"):
        portable.pin()
    assert "ATEN_CPU_CAPABILITY" not in os.environ


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("portable: true\n", True),
        ("portable: yes\n", True),  # as the parameters take it
        ("portable: false\n", False),
        ("portable: perhaps\n", False),
        ("seed: 1\n", False),
        ("portable: [\n", False),  # whoever reads it all says what is wrong
        (None, False),
    ],
)
def test_what_runs_a_stage_or_a_command_does_as_params_yaml_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, pins: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(stage, "pin", lambda: asked.append(True))
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("params.yaml").write_text(text, encoding="utf-8")
    with stage.begun():
        assert bool(asked) == pins


@on_such_a_cpu
def test_the_libraries_of_the_tests_are_pinned() -> None:
    assert PINS.items() <= os.environ.items(), "tests/__init__.py sets them"
    assert portable.capability() == "portable"
    assert portable.why_not() == ""


def printed(*, pinned: bool, seen: Mapping[str, str] | None = None) -> list[str]:
    """What DIGEST prints in a new process: what libraries use, and digests of what they compute."""
    environment = {name: value for name, value in os.environ.items() if name not in PINS}
    command = [sys.executable, "-c", DIGEST]
    if pinned:
        command = [sys.executable, "-m", "twotower", "portable", *command]
    ran = subprocess.run(
        command,
        env=environment | {"OMP_NUM_THREADS": "1"} | dict(seen or {}),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.split()


@pytest.mark.slow
@on_such_a_cpu
def test_pinned_libraries_compute_the_same_on_other_cpus(tmp_path: Path) -> None:
    pinned, plain = printed(pinned=True), printed(pinned=False)
    assert pinned[0] == "portable"
    assert plain[0] != "portable"
    if plain[0] == "AVX512":  # others may compute so anyway
        assert pinned[1:] != plain[1:]
    library = other_cpu.compiled(tmp_path)
    if library is None:
        pytest.skip("this machine cannot show another CPU")
    for name in other_cpu.NAMES:
        assert printed(pinned=True, seen=other_cpu.variables(library, name)) == pinned
