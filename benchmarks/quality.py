"""Our model against others: the same files, masks and metrics, each tuned on validation.

    python -m benchmarks.quality gowalla [--only NAME …] [--budget 300] [--threads 2]

Every method tries a grid of GRID_SIZE settings on the validation split (benchmarks/comparison/
holds the grids), each for at most `--budget` seconds of training and less if it stops getting
better. The setting and the number of passes that are best there are trained on train + validation
and scored on test. The clock starts after imports and loading and is stopped during evaluation.
Prints the table with 95 % intervals and the quality-time frontier; writes results.csv,
frontier.csv, points.csv (every score), frontier.html and, where a browser is found, frontier.png.

The data set is beauty, gowalla, ml-100k or tienda (below `--data-root`), a folder in the format of
LightGCN (train.txt, test.txt, with or without valid.txt), a folder of CSV or Parquet files, or a
file like params.yaml.

`pip install -e ".[benchmarks]"` brings implicit; docs/quality.md says how to add LensKit. A method
whose package is not installed is reported as such.
"""

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks.comparison import baselines, implicit_models, lenskit_models, report
from benchmarks.comparison.datasets import load_dataset
from benchmarks.comparison.plot import draw, write_plot
from benchmarks.comparison.problem import Method
from benchmarks.comparison.tuning import Effort, Result, measure
from benchmarks.comparison.two_tower import GRID, TIMED_GRID, sequence_tower, two_tower
from twotower.common.errors import one_line_errors

OURS = "two_tower"
GRID_SIZE = 8
"""Settings of every method that has something to set."""
METHODS: tuple[Method, ...] = (
    two_tower(OURS, GRID, TIMED_GRID),
    sequence_tower("sequence_tower"),
    *baselines.METHODS,
    *implicit_models.METHODS,
    *lenskit_models.METHODS,
)
DATA_ROOT = Path("../shared/data")
OUTPUT = Path("quality")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison of one data set."""
    with one_line_errors():
        run(parse(arguments))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset")
    names = [method.name for method in METHODS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--budget", type=_positive, default=300.0, help="seconds per setting")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--split", choices=["temporal", "cutoff", "random", "leave_last_out"])
    parser.add_argument("--data-root", type=Path, default=DATA_ROOT)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="a folder in it is written")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Measure, print and write; the files are complete after each method."""
    dataset = load_dataset(options.dataset, options.data_root, options.split, options.seed)
    effort = Effort(options.budget, options.threads, options.seed)
    folder = options.output / dataset.name
    machine = f"{options.threads} threads of {os.cpu_count()}, {platform.machine()}"
    print(f"{dataset.name}: {len(dataset.tuning.interactions):,} training rows, "
          f"{len(dataset.tuning.catalogue.users):,} users, "
          f"{len(dataset.tuning.catalogue.items):,} items; {machine}")  # fmt: skip
    torch.set_num_threads(options.threads)
    results: list[Result] = []
    with threadpool_limits(limits=options.threads):
        for method in METHODS:
            if method.name not in options.only:
                continue
            print(method.name, flush=True)
            results.append(measure(method, dataset, effort, lambda line: print(line, flush=True)))
            if results[-1].missing:
                print(f"  {results[-1].missing}")
            rows = report.results_rows(results, OURS, options.seed)
            files = report.write_files(results, rows, folder)
    report.print_table(rows, dataset, OURS)
    report.print_settings(results)
    report.print_frontier(results)
    plots, note = write_plot(draw(results, dataset, machine), folder)
    print("\nfiles: " + ", ".join(str(path) for path in [*files, *plots]))
    if note:
        print(note)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        msg = f"must be above 0, got {text}"
        raise argparse.ArgumentTypeError(msg)
    return value


if __name__ == "__main__":
    main()
