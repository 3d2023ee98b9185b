"""Programs that see another CPU than there is, at full speed: compiles other_cpu.c."""

import csv
import subprocess
import sys
from pathlib import Path

NAMES = {"haswell": "Haswell", "zen2": "AMD EPYC 7002"}
"""The CPUs that other_cpu.c knows."""
SOURCE = Path(__file__).with_suffix(".c")


def compiled(folder: Path) -> Path | None:
    """The library; None, saying so, where there is no compiler or no CPU that can be disguised.

    Args:
        folder: for the library.
    """
    library = folder / "other_cpu.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    try:
        subprocess.run(command, check=True, capture_output=True)
        seen = {"PATH": "", **variables(library, "zen2")}
        subprocess.run([sys.executable, "-c", ""], check=True, capture_output=True, env=seen)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no rows for other CPUs: {error}", file=sys.stderr)
        return None
    return library


def variables(library: Path, name: str) -> dict[str, str]:
    """The environment in which a program, and all that it starts, sees that CPU."""
    return {"LD_PRELOAD": str(library), "OTHER_CPU": name}


def likeness(table: Path, first: Path) -> str:
    """How far two tables of trials agree: what they propose, and what they measure."""
    rows, firsts = ([*csv.DictReader(path.open(encoding="utf-8"))] for path in (table, first))
    same, largest = 0, 0.0
    for row, one in zip(rows, firsts, strict=True):
        same += all(row[key] == one[key] for key in row if key.startswith("params_"))
        measured = [(row[key], one[key]) for key in row if key.startswith("metrics_") and row[key]]
        pairs = [(float(a), float(b)) for a, b in measured if b]
        largest = max([largest, *(abs(a - b) / abs(b) for a, b in pairs if b)])
    return f"{same} of {len(rows)} proposals the same, metrics within {largest:.1g}"
