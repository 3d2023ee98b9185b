"""Stage `prepare`: raw files → data/prepared/ and metrics/data.json, as params.yaml says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twotower.common.cli import one_line_errors
from twotower.config import load_config
from twotower.data.prepared import PREPARED, SPLITS
from twotower.ingest import prepare
from twotower.ingest.guard import LAST_RUN

METRICS = Path("metrics/data.json")


def main() -> None:
    """Run the stage in the current directory."""
    with one_line_errors():
        report = prepare(load_config(), PREPARED, METRICS, LAST_RUN)
        print(summary(report))


def summary(report: Mapping[str, Any]) -> str:
    """What a person wants to know at once; the rest is in metrics/data.json."""
    rows, users, items = report["rows"], report["users"], report["items"]
    lines = [f"{rows['total']} events, {users['total']} users, {items['total']} items"]
    for name in SPLITS:
        cold = report["cold"].get(name)
        rest = f", {cold['rows']} of them with a user or item unknown to train" if cold else ""
        lines.append(f"  {name}: {rows[name]} rows, {users[name]} users{rest}")
    for name, read in report["read"].items():
        if read["dropped"]["total"]:
            lines.append(f"  dropped {read['dropped']['total']} of {read['rows']} rows of {name}")
        if read.get("blanked_cells"):
            lines.append(f"  {read['blanked_cells']} unreadable numbers of {name} count as missing")
    for name, features in report["features"].items():
        if features["left_out"]:
            lines.append(f"  {name} have no column for {', '.join(features['left_out'])}")
    if report["merged_rows"]:
        lines.append(f"  merged {report['merged_rows']} repeated rows")
    if report["sampled_out_users"]:
        lines.append(f"  sampled out {report['sampled_out_users']} users")
    if report["source"]["order"] == "file":
        lines.append("  no timestamps: file order counts as time order")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
