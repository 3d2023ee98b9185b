"""A model's answers for histories by torch and by onnxruntime: start, memory, time of a request.

    python -m benchmarks.without_torch FOLDER

FOLDER is that of a model with a sequence tower: others read histories with neither. Each library
gets processes of its own, in turn; of their figures this shows the medians.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 5
REQUESTS = 300
ITEMS = 20
"""Of a history."""
LIBRARIES = ("torch", "onnxruntime")


def main() -> None:
    """Print a line for each library."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--library", choices=LIBRARIES, help="measure in this process")
    arguments = parser.parse_args()
    if arguments.library:
        print(json.dumps(measure(arguments.folder, arguments.library)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in LIBRARIES}
    for _ in range(ROUNDS):
        for name, runs in found.items():
            command = [sys.executable, "-m", "benchmarks.without_torch", str(arguments.folder)]
            done = subprocess.run(
                [*command, "--library", name],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                check=True,
                text=True,
            )
            runs.append(json.loads(done.stdout))
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"{name:>12}", *(f"{key} {value:.2f}" for key, value in middle.items()), sep="   ")


def measure(folder: Path, library: str) -> dict[str, float]:
    """Processor time to the first answer and of a request, and the most memory, on Linux."""
    from twotower.serving import Recommender, query_vectors

    if library == "torch":
        query_vectors.is_installed = lambda: False
    model = Recommender.load(folder)
    items = model.artifacts.item_ids.all
    histories = [items[start : start + ITEMS] for start in range(64)]
    model.recommend_from_history(histories[0])
    started = time.process_time()
    times = []
    for number in range(REQUESTS):
        before = time.process_time()
        model.recommend_from_history(histories[number % len(histories)])
        times.append(time.process_time() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ("torch" in sys.modules) == (library == "torch")  # noqa: S101 - or it measures nothing
    return {
        "first answer, s": started,
        "memory, MB": memory / 1024,
        "request, ms": 1000 * statistics.median(times),
    }


if __name__ == "__main__":
    main()
