"""What is said of files and commands is said of frames and arguments."""

from pathlib import Path

import pytest

from twotower.notebook.wording import in_python
from twotower.search.front import OTHER_LIMITS


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("{file}: column 'id' …", "items: column 'id' …"),
        ("because of 'x' (items.parquet, row 2)", "because of 'x' (items, row 2)"),
        (
            "dim 64 is at the high end: dvc exp run -S 'hpo.search_space.dim.high=128'",
            "dim 64 is at the high end: config={'hpo.search_space.dim.high': 128}",
        ),
        (
            "dvc exp run -S '+hpo.fixed.init=random' -S 'evaluate.ks=[5,10]'",
            "config={'hpo.fixed.init': 'random', 'evaluate.ks': [5, 10]}",
        ),
        ("wider: twotower preset quality", "wider: config='quality'"),
        ("twotower preset sequence; more", "config='sequence'; more"),
        (
            f"no trial of the front has mrr of at least 1; {OTHER_LIMITS}",
            "no trial of the front has mrr of at least 1; in a folder of its own, a fit with other "
            "limits chooses from the same trials",
        ),
        ("no such key: leave it out, or -S '~hpo.x'", "no such key: leave it out"),
        ("a list: [5,10], or -S 'evaluate.ks=[5,10]', got 5", "a list: [5,10], got 5"),
    ],
)
def test_wording(tmp_path: Path, said: str, ours: str) -> None:
    file = tmp_path / "items.parquet"
    file.touch()
    assert in_python(said.replace("{file}", str(file)), tmp_path) == ours
