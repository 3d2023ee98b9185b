"""Cases that are chosen by the code that they reach: libFuzzer, by way of atheris.

It never returns to its caller, so it runs in a process of its own, which keeps its tally in a file.
"""

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from hypothesis import Phase
from hypothesis.database import InMemoryExampleDatabase

from benchmarks.fuzz.kinds import Kind
from benchmarks.fuzz.runner import SHOWN, Tally, as_test, shown

LONGEST = 1 << 12
"""Bytes from which a case is made, at most."""
STARTS = 100
"""Random files from which libFuzzer begins: of fewer bytes hardly a case can be made."""


def run_guided(kind: Kind, cases: int, seed_number: int) -> Tally:
    """As `runner.run`, guided by coverage of this library's code.

    Raises:
        SystemExit: if atheris is not installed.
    """
    if importlib.util.find_spec("atheris") is None:
        msg = "--guided needs atheris, which is not installed: pip install atheris"
        raise SystemExit(msg)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        file = Path(folder) / "tally.json"
        command = [sys.executable, "-m", __spec__.name, kind.name, str(cases), str(seed_number)]
        ended = subprocess.run(
            [*command, str(file)], capture_output=True, encoding="utf-8", check=False
        )
        if not file.exists():
            reason = f"its process ended with status {ended.returncode}: {ended.stderr[-SHOWN:]}"
            return Tally(broken=[reason])
        found = json.loads(file.read_text(encoding="utf-8"))
    return Tally(Counter(found["ended"]), found["slowest"], found["broken"])


class _Guided:
    """What libFuzzer calls with the bytes of each case; it ends the process."""

    def __init__(self, kind: Kind, cases: int, seed_number: int, file: Path) -> None:
        self._tally = Tally()
        failures = InMemoryExampleDatabase()
        test = (kind, self._tally, cases, seed_number)
        self._test = as_test(*test, database=failures)
        self._again = as_test(*test, database=failures, phases=(Phase.reuse, Phase.shrink))
        self._cases = cases
        self._file = file

    def __call__(self, data: bytes) -> None:
        """Try a case. Bytes of which none can be made do not count."""
        try:
            self._test.hypothesis.fuzz_one_input(data)
        except Exception as error:
            self._end(self._smaller(error))
        if self._tally.cases >= self._cases:
            self._end([])

    def _smaller(self, error: Exception) -> list[str]:
        try:
            self._again()
        except Exception as smaller:
            return shown(smaller)
        return shown(error)  # it does not happen again

    def _end(self, broken: list[str]) -> NoReturn:
        found: dict[str, Any] = {"ended": self._tally.ended, "slowest": self._tally.slowest}
        text = json.dumps({**found, "broken": broken})
        self._file.write_text(text, encoding="utf-8")
        os._exit(0)  # libFuzzer's own end writes a report of a crash


def main() -> None:
    """Run one kind, and end the process."""
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("kind")
    parser.add_argument("cases", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    atheris.instrument_imports(include=["twotower"]).__enter__()  # imports within functions, too
    guided = _Guided(Kind(given.kind), given.cases, given.seed, given.file)
    corpus = given.file.parent / "corpus"
    corpus.mkdir()
    rng = random.Random(given.seed)  # noqa: S311 - bytes to begin with, no secret
    for number in range(STARTS):
        (corpus / str(number)).write_bytes(rng.randbytes(rng.randrange(LONGEST)))
    options = [f"-seed={given.seed + 1}", f"-max_len={LONGEST}", "-rss_limit_mb=0", "-timeout=60"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], guided)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
