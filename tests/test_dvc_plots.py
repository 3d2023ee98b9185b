"""The plots of dvc.yaml draw columns that the stages write, with templates that DVC can fill."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from dvc_render.vega import VegaRenderer

from tests.conftest import REPOSITORY
from twotower.assessment.bars import COLUMNS as BARS
from twotower.common.yaml_file import read_yaml
from twotower.search.outputs import CURVES

PLOTS: dict[str, dict[str, Any]] = {
    name: plot
    for entry in read_yaml(REPOSITORY / "dvc.yaml")["plots"]
    for name, plot in entry.items()
}
TRIALS = ["number", "state", "value"]
WRITTEN = {
    "metrics/hpo_trials.csv": TRIALS,
    "metrics/learning_curves.csv": CURVES,
    "metrics/baselines.csv": BARS,
}
TEMPLATES = REPOSITORY / ".dvc" / "plots"


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_has_its_columns_and_its_template(name: str) -> None:
    plot = PLOTS[name]
    ((file, y),) = plot["y"].items()
    assert {plot["x"], y} <= set(WRITTEN[file])
    rows = [{"rev": rev, **dict.fromkeys(WRITTEN[file], "1")} for rev in ("workspace", "other")]
    properties = {**plot, "y": y, "template_dir": str(TEMPLATES)}
    filled = VegaRenderer(rows, name, **properties).get_filled_template()
    assert filled["data"]["values"] == rows
    assert filled["title"]["text"] == plot["title"]
    assert "DVC_METRIC" not in json.dumps(filled)
    assert _fields(filled) <= {"rev", *WRITTEN[file]}


def _fields(template: Any) -> set[str]:
    """Columns that a template reads, but for those that it makes itself."""
    text = json.dumps(template)
    read = set(re.findall(r"datum\.(\w+)|\"field\": \"(\w+)\"", text))
    return {name for pair in read for name in pair if name} - set(
        re.findall(r'"as": "(\w+)"', text)
    )


def test_every_template_is_used() -> None:
    assert {path.stem for path in Path(TEMPLATES).iterdir()} == {
        plot["template"] for plot in PLOTS.values()
    }
