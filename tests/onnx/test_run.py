"""Serving without torch."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from tests.onnx.conftest import NEEDS
from twotower.artifacts import Artifacts, load_artifacts
from twotower.common.errors import ConfigError
from twotower.new_items import encode
from twotower.onnx.run import OnnxTowers
from twotower.onnx.towers import PADDING
from twotower.serving import Recommender, query_vectors

for library in ("onnx", "onnxruntime"):
    pytest.importorskip(library, reason=NEEDS)

NEW = {"item_id": [2000, 2001], "colour": ["red", None], "tags": ["a|b", None], "price": [9, 12.5]}
SERVE = """
import sys
sys.modules["torch"] = None  # importing it fails
import pandas as pd
from twotower import Recommender
model = Recommender.load(sys.argv[1])
model.warm_up()
larger = model.add_items(pd.DataFrame(dict(item_id=[2000], colour=["red"])))
larger = larger.add_items(pd.DataFrame(dict(item_id=[2001], price=[12.5])))
print(model.recommend_from_history([1003, 1004], k=3).item_ids)
print(larger.recommend_from_history([1003, 2001, 2000], k=3).source)
"""


@pytest.mark.slow
def test_torch_is_not_imported(sequence: Artifacts) -> None:
    command = [sys.executable, "-c", SERVE, sequence.folder]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    expected = Recommender(sequence).recommend_from_history([1003, 1004], k=3).item_ids
    assert done.stdout.splitlines() == [str(expected), "['history']"], done.stderr


def test_both_libraries_give_the_same_vectors(
    model: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for is_installed in (True, False):
        for module in (encode, query_vectors):
            monkeypatch.setattr(module, "is_installed", lambda value=is_installed: value)
        served = Recommender.load(model.folder)
        scores = [served.recommend_from_history([1003, 1009], k=24).scores]
        if model.config.features:
            larger = served.add_items(pd.DataFrame(NEW))
            scores += [larger.recommend_from_history([2001, 1003], k=26).scores]
            scores += [larger.artifacts.item_vecs, larger.artifacts.towers.vectors()[1]]
        found.append(scores)
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("model", ["sequence", "short"], indirect=True)
def test_a_sequence_tower_reads_the_latest_items_of_a_longer_history(model: Artifacts) -> None:
    length, towers = model.config.sequence_length, OnnxTowers(model)
    items = np.arange(length + 4)[None] % 24
    latest = towers.sequence_vectors(items[:, -length:])
    assert towers.sequence_vectors(items) == pytest.approx(latest, abs=1e-6)
    # The same beside a shorter one, which is padded.
    inputs: Any = {"user_idx": np.full(2, -2), "history": np.full((2, length + 6), PADDING)}
    inputs["history"][0, : length + 4], inputs["history"][1, :1] = items, 5
    nobody = {name: np.repeat(each, 2, axis=0) for name, each in towers._nobody.items()}
    both = towers.user_tower(inputs | nobody)[0][:, : model.config.width]
    assert both[0] == pytest.approx(latest[0], abs=1e-5)
    assert both[1] == pytest.approx(towers.sequence_vectors(np.array([[5]]))[0], abs=1e-5)


def test_towers_without_torch_are_a_clear_error(
    sequence: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match="this needs torch: pip install torch"):
        load_artifacts(sequence.folder).towers  # noqa: B018 - it is read on first use
