"""The machine on which something was measured, in words; its name is nobody's business."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

import psutil

PACKAGES = ("numpy", "torch", "pyarrow", "pandas", "polars")
"""Whose versions decide how fast things are."""


def machine() -> str:
    """One line: processor, cores, memory, threads, system and versions."""
    threads = os.environ.get("OMP_NUM_THREADS", "as many as there are cores")
    parts = [
        processor(),
        f"{psutil.cpu_count() or 1} cores",
        f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        *accelerators(),
        f"OMP_NUM_THREADS: {threads}",
        platform.system(),
        f"Python {platform.python_version()}",
        *(f"{name} {version}" for name in PACKAGES if (version := version_of(name))),
    ]
    return ", ".join(parts)


def processor() -> str:
    """What the system calls its processor."""
    if platform.system() == "Darwin":
        return _printed("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def accelerators() -> list[str]:
    """Names of the GPUs, as their driver says them."""
    return _printed("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()


def version_of(package: str) -> str | None:
    """Of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _printed(*command: str) -> str:
    """What a program says; nothing, where there is none or it fails."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    ended = subprocess.run(
        [program, *command[1:]], capture_output=True, encoding="utf-8", check=False
    )
    return ended.stdout.strip() if ended.returncode == 0 else ""
