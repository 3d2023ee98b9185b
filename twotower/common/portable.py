"""The same bytes on every x86-64 CPU with AVX2, AMD's or Intel's: `portable: true`.

As they load, numerical libraries look at the CPU and choose code for it, which adds in an order of
its own. Environment variables, set before that, have them choose what every such CPU has. A process
that is started inherits them. `twotower portable COMMAND …` runs any command so.
"""

import os
import platform
import sys
from functools import cache
from pathlib import Path

from twotower.common.errors import ConfigError

PINS = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",  # it has no other that AMD's CPUs share
    "OPENBLAS_CORETYPE": "Haswell",
    # What numpy 2.4 calls them, then 2.1 to 2.3; it passes over names that it does not know.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR,AVX512F,AVX512CD,AVX512_KNL,"
    "AVX512_KNM,AVX512_SKX,AVX512_CLX,AVX512_CNL",
}
"""Of torch, its oneDNN and MKL, OpenBLAS (in numpy and scipy), numpy. Raise OBJECTIVE_VERSION of
search/identity.py with any change: it changes the bytes of trials."""
REFUSED = ("NPY_ENABLE_CPU_FEATURES",)
"""numpy does not load if both this and its pin are set."""
PINNED = ("numpy", "scipy", "torch")
"""Modules that choose their code as they are imported."""
REQUIRED = {"avx2", "fma"}
"""Flags of a CPU, as in /proc/cpuinfo."""


@cache
def _cpu(field: str) -> list[str]:
    """What Linux says of the first CPU, as words; nothing on other systems."""
    if platform.system() != "Linux":
        return []
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        found = next((line for line in lines if line.split(":")[0].strip() == field), "")
    return found.partition(":")[2].split()


def portable_here() -> bool:
    """Whether this machine can compute so: Linux on an x86-64 CPU with AVX2."""
    return platform.machine() == "x86_64" and set(_cpu("flags")) >= REQUIRED


def pin() -> bool:
    """Pin the libraries of this process and of those that it starts.

    Returns:
        Whether they are pinned. They are not where `portable_here` is false, nor if one of them is
        loaded already.

    Raises:
        ConfigError: if a variable of the environment says something else.
    """
    if not portable_here():
        return False
    if not is_pinned() and sys.modules.keys().isdisjoint(PINNED):
        _check_environment()
        os.environ.update(PINS)
    return is_pinned()


def is_pinned() -> bool:
    """Whether the variables are set; `pin` never sets them too late for libraries to see them."""
    return portable_here() and all(os.environ.get(name) == PINS[name] for name in PINS)


def in_effect() -> bool:
    """Whether the libraries do as they are told: someone else may have set variables too late.

    Loads them.
    """
    if not is_pinned():
        return False
    import numpy as np  # noqa: F401 - it loads an OpenBLAS
    import torch
    from threadpoolctl import threadpool_info

    cores = [one.get("architecture") for one in threadpool_info()]
    want = PINS["OPENBLAS_CORETYPE"]
    return torch.backends.cpu.get_cpu_capability() == "AVX2" and set(cores) <= {want, None}


def capability() -> str:
    """What the libraries of this process use: `portable`, or that of the CPU, in torch's words.

    With AMD's CPUs it says so: torch's MKL has code of its own for all others than Intel's.
    """
    import torch

    if in_effect():
        return "portable"
    maker = " AMD" if "AuthenticAMD" in _cpu("vendor_id") else ""
    return f"{torch.backends.cpu.get_cpu_capability()}{maker}"


def platform_here() -> str:
    """System, architecture and `capability`: what bytes depend on besides versions."""
    return f"{platform.system()} {platform.machine()} {capability()}"


def why_not() -> str:
    """Why `portable: true` has no effect in this process, in a line; empty if it has."""
    if not portable_here():
        return "portable: true has no effect here: it needs Linux on an x86-64 CPU with AVX2"
    if not in_effect():
        return (
            "portable: true has no effect in this process, which had loaded numpy or torch before; "
            "start it with twotower portable PROGRAM …"
        )
    return ""


def _check_environment() -> None:
    wrong = [name for name, value in PINS.items() if os.environ.get(name, value) != value]
    wrong += [name for name in REFUSED if name in os.environ]
    if wrong:
        given = " ".join(f"{name}={os.environ[name]}" for name in wrong)
        msg = f"portable: true sets other values than the environment has ({given}); unset "
        raise ConfigError(msg + f"{', '.join(wrong)}, or set portable: false in params.yaml")
