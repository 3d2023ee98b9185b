"""The default search on data of many kinds: is what it ships as strong as the strongest baseline?

    python -m benchmarks.default_search [NAME …] [--preset presets/quality.yaml]

For each data set, prepare, search and refit in a folder of their own, as a user runs them, with
params.yaml and what the data needs. A line for each gives the test score of the model with its 95 %
interval, the strongest baseline besides the default model, the p-value that the model is above it,
whether it is shown to be below, and the seconds of search and refit.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.project import REPOSITORY, project, run_stage
from benchmarks.shops import SHOPS, Shop, write_shop
from twotower.cli.preset import apply_preset
from twotower.common.errors import one_line_errors
from twotower.common.scorers import MODEL

DATA_ROOT = Path("../shared/data")
OUTPUT = Path("default_search")
REAL: dict[str, dict[str, Any]] = {
    "sample": {},
    "tienda": {
        "users": {"features": {"city": "categorical"}},
        "items": {"features": {"category": "categorical", "price": "numeric"}},
    },
    "ml-100k": {},
    "beauty": {"users": {"features": {}}, "items": {"features": {}}},
}
"""What section `data` needs, by name; ml-100k has a preset for it."""
LAST_OUT = ("beauty",)
"""Data sets whose protocol holds out the last event of each user."""
NOT_RIVALS = ("default", "random")


@dataclass(frozen=True)
class Outcome:
    """What a pipeline found on one data set.

    Attributes:
        model: test score.
        interval: its bounds.
        rival: the strongest baseline.
        rival_score: its test score.
        p_value: that the model is above it.
        is_worse: whether the model is shown to be below it.
        best: what the search chose.
        verdict: of refit.
        seconds: of search and refit.
    """

    model: float
    interval: tuple[float, float]
    rival: str
    rival_score: float
    p_value: float
    is_worse: bool
    best: str
    verdict: str
    seconds: tuple[float, float]

    def row(self, name: str) -> str:
        """A line of the table."""
        low, high = self.interval
        search, refit = self.seconds
        return (
            f"| {name} | {self.model:.4f} [{low:.4f}, {high:.4f}] | {self.rival} "
            f"{self.rival_score:.4f} | {self.p_value:.4f}{', worse' if self.is_worse else ''} "
            f"| {self.verdict} | {self.best} | {search:.0f} + {refit:.0f} |"
        )


def run_pipeline(name: str, folder: Path, presets: list[Path], data_root: Path) -> Outcome:
    """Run the stages on a data set, in a folder.

    Args:
        name: of REAL, or of a shop.
        folder: empty.
        presets: written into its params.yaml.
        data_root: parent of the folders of REAL, but for the sample.
    """
    _write_params(name, folder, presets, data_root)
    seconds = {stage: run_stage(stage, folder).wall for stage in ("prepare", "hpo", "refit")}
    return _outcome(folder, (seconds["hpo"], seconds["refit"]))


def _write_params(name: str, folder: Path, presets: list[Path], data_root: Path) -> None:
    path = project(folder) / "params.yaml"
    own = REPOSITORY / "presets" / f"{name}.yaml"
    for preset in [own] * own.exists() + presets:
        apply_preset(preset.resolve(), path)
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    if name in SHOPS:
        write_shop(SHOPS[name], folder / "data" / "shop")
        params["data"] |= _features(SHOPS[name]) | {"root": "data/shop"}
    else:
        root = REPOSITORY / "data" if name == "sample" else data_root.resolve()
        params["data"] |= REAL[name] | {"root": str(root / name)}
    if name in LAST_OUT:
        params["split"]["strategy"] = "leave_last_out"
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


def _features(shop: Shop) -> dict[str, Any]:
    columns = {"users": ["interest"], "items": ["category", "brand"]}
    return {
        table: {"features": {name: "categorical" for name in names if shop.told}}
        for table, names in columns.items()
    }


def _outcome(folder: Path, seconds: tuple[float, float]) -> Outcome:
    results = _read(folder / "hpo_results.json")
    verdict, intervals, test = (
        _read(folder / "metrics" / f"{name}.json") for name in ("verdict", "intervals", "test")
    )
    objective = verdict["objective"]
    rivals = {n: c for n, c in verdict["comparisons"].items() if n not in NOT_RIVALS}
    rival = max(rivals, key=lambda name: (test[name][objective], rivals[name]["p_value"]))
    comparison = rivals[rival]
    low, high = intervals["intervals"][MODEL][objective]
    return Outcome(
        model=test[MODEL][objective],
        interval=(low, high),
        rival=rival,
        rival_score=test[rival][objective],
        p_value=comparison["p_value"],
        is_worse=comparison["worse"],
        best=", ".join(f"{key} {value}" for key, value in results["best_trial"]["params"].items()),
        verdict=verdict["verdict"],
        seconds=seconds,
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def absent(data_root: Path) -> list[str]:
    """Data sets of REAL that are not there, saying so."""
    names = [name for name in REAL if name != "sample" and not (data_root / name).is_dir()]
    if names:
        print(f"not run, as they are not in {data_root}: {', '.join(names)}", file=sys.stderr)
    return names


def main() -> None:
    """Print a table of the data sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = [*REAL, *SHOPS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--preset", type=Path, action="append", default=[])
    parser.add_argument("--data-root", type=Path, default=DATA_ROOT)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folders in it are written")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"no such data set: {', '.join(sorted(unknown))}; there are {known}")
    names = arguments.names or [n for n in known if n not in absent(arguments.data_root)]
    with one_line_errors():
        tabulate(names, arguments)


def tabulate(names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Run the pipelines, and print a row for each as it ends."""
    print("| data | model | strongest baseline | p | verdict | chosen | s, search + refit |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        folder = arguments.output / "-".join([name, *(path.stem for path in arguments.preset)])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outcome = run_pipeline(name, folder, arguments.preset, arguments.data_root)
        print(outcome.row(name), flush=True)


if __name__ == "__main__":
    main()
