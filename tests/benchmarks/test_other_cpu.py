"""How far two tables of trials agree."""

from pathlib import Path

from benchmarks.other_cpu import likeness

TABLE = """number,params_lr,params_dim,metrics_mrr,metrics_gini
0,0.1,,0.5,0
1,0.2,8,0.25,
"""


def test_proposals_are_counted_and_metrics_compared(tmp_path: Path) -> None:
    first, other = tmp_path / "first.csv", tmp_path / "other.csv"
    first.write_text(TABLE)
    other.write_text(TABLE)
    assert likeness(other, first) == "2 of 2 proposals the same, metrics within 0"
    other.write_text(TABLE.replace("0.2,8,0.25", "0.3,8,0.26"))
    assert likeness(other, first) == "1 of 2 proposals the same, metrics within 0.04"
