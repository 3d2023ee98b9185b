"""What an installation weighs on disk, with each extra, and how long its commands take to begin.

python -m benchmarks.installation
"""

import argparse
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement

from benchmarks.project import REPOSITORY

PROJECT = "twotower"
EXTRAS = ("", "serve", "index", "dask", "postgres", "s3", "dev")
IMPORTS = {
    "nothing": "",
    "the package": "import twotower",
    "the search": "import twotower.search.run_search",
    "a model that answers": "from twotower import Recommender",
}
ROUNDS = 3
MB = 1e6


def asked_for(extra: str) -> list[str]:
    """What pyproject.toml requires, with an extra."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"].get(extra, ())]


def needed(lines: Sequence[str], extras: AbstractSet[str], known: set[str]) -> Iterator[str]:
    """The packages of requirements and what these require; those that are known are left out."""
    for line in lines:
        found = Requirement(line)
        key = f"{found.name.lower()}{sorted(found.extras)}"
        markers = [{"extra": extra} for extra in extras or {""}]
        if key in known or (found.marker and not any(map(found.marker.evaluate, markers))):
            continue
        known.add(key)
        yield found.name
        with suppress(PackageNotFoundError):
            yield from needed(distribution(found.name).requires or (), found.extras, known)


def size(package: str) -> int:
    """Bytes of an installed package's files."""
    files = [Path(str(file.locate())) for file in distribution(package).files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())


def weight(extra: str) -> tuple[int, float, list[str]]:
    """Number and megabytes of the packages with an extra, and those that are not installed here."""
    sizes, absent = {}, []
    for name in needed(asked_for(extra), set(), set()):
        try:
            sizes[name.lower()] = size(name)
        except PackageNotFoundError:
            absent.append(name)
    return len(sizes), sum(sizes.values()) / MB, absent


def seconds(code: str) -> float:
    """Of a Python that runs this and ends; the median of some rounds."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        took.append(time.perf_counter() - started)
    return median(took)


def main() -> None:
    """Print both as tables."""
    style = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=style).parse_args()
    print("| installed | packages | MB |\n|---|---|---|")
    for extra in EXTRAS:
        count, megabytes, absent = weight(extra)
        without = f", without {', '.join(absent)}" if absent else ""
        print(
            f"| `{PROJECT}{f'[{extra}]' if extra else ''}`{without} | {count} | {megabytes:,.0f} |"
        )
    print("\n| imported | s |\n|---|---|")
    for what, code in IMPORTS.items():
        print(f"| {what} | {seconds(code):.2f} |")


if __name__ == "__main__":
    main()
