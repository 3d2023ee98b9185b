"""The folder that other runtimes load."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.command import error_of, twotower
from tests.onnx.conftest import NEEDS
from twotower.artifacts import Artifacts
from twotower.common.errors import ArtifactError, ExportError
from twotower.common.files import sha256_file
from twotower.onnx import check
from twotower.onnx.write import export_towers

pytest.importorskip("onnx", reason=NEEDS)
onnxruntime = pytest.importorskip("onnxruntime", reason=NEEDS)


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def arrays(graph: dict[str, Any], values: dict[str, Any]) -> dict[str, np.ndarray]:
    """The inputs of the example, with the types that onnx.json says."""
    return {each["name"]: np.array(values[each["name"]], each["type"]) for each in graph["inputs"]}


def test_a_service_can_test_itself_with_the_example(model: Artifacts, tmp_path: Path) -> None:
    export_towers(model, tmp_path / "out")
    described, example = (
        json.loads((tmp_path / "out" / name).read_text()) for name in ("onnx.json", "example.json")
    )
    vectors = {}
    for name, graph in described["graphs"].items():
        session = onnxruntime.InferenceSession(tmp_path / f"out/{name}/1/model.onnx")
        names = [each["name"] for each in graph["outputs"]]
        outputs = session.run(names, arrays(graph, example[name]["inputs"]))
        for output, values in zip(names, outputs, strict=True):
            assert values == pytest.approx(np.array(example[name]["outputs"][output]), abs=1e-5)
            vectors[output] = values
    known = np.load(tmp_path / "out/item_vecs.npy")
    assert vectors["item_vector"][:2] == pytest.approx(known[:2], abs=1e-5)
    ids = [json.loads(line) for line in (tmp_path / "out/item_ids.jsonl").read_text().splitlines()]
    assert ids == model.item_ids.all
    for scores, best in zip(vectors["user_vector"] @ known.T, example["best_items"], strict=True):
        place = [ids.index(item) for item in best]
        assert scores[place] == pytest.approx(np.sort(scores)[::-1][:5], abs=1e-5)


def test_the_folder_says_what_is_in_it(sequence: Artifacts, tmp_path: Path) -> None:
    said = export_towers(sequence, tmp_path / "out")
    described = json.loads((tmp_path / "out/onnx.json").read_text())
    assert re.search(r"at 30 users and 24 items the vectors differ .* by at most \d\.\de-", said)
    difference = described["difference"]
    assert (difference["users"], difference["items"]) == (30, 24)
    assert max(difference["user_tower"], difference["item_tower"]) < 1e-5
    files = content(tmp_path / "out").keys() - {"onnx.json"}
    assert described["files"] == {name: sha256_file(tmp_path / "out" / name) for name in files}
    features = described["features"]["items"]
    assert [features[name]["input"] for name in ("colour", "picture", "price", "tags")] == [
        f"feature_{position}" for position in range(4)
    ]
    assert (features["price"]["mean"], features["tags"]["categories"]) == (10.0, ["a", "b", "c"])


def test_triton_is_told_of_the_same_inputs_and_outputs(sequence: Artifacts, tmp_path: Path) -> None:
    export_towers(sequence, tmp_path / "out")
    described = json.loads((tmp_path / "out/onnx.json").read_text())
    kinds = {"int64": "TYPE_INT64", "float32": "TYPE_FP32"}
    for name, graph in described["graphs"].items():
        lines = (tmp_path / f"out/{name}/config.pbtxt").read_text().splitlines()
        assert lines[:3] == [f'name: "{name}"', 'backend: "onnxruntime"', "max_batch_size: 0"]
        wanted = [
            f'{kind} {{ name: "{each["name"]}" data_type: {kinds[each["type"]]} dims: [ '
            + ", ".join("-1" if isinstance(axis, str) else str(axis) for axis in each["shape"])
            + " ] }"
            for kind in ("input", "output")
            for each in graph[f"{kind}s"]
        ]
        assert lines[3:] == wanted


def test_the_same_model_gives_the_same_bytes_in_place_of_the_old(
    sequence: Artifacts, tmp_path: Path
) -> None:
    export_towers(sequence, tmp_path / "one")
    (tmp_path / "one" / "user_tower/1/model.onnx").write_bytes(b"older")
    for name in ("one", "other"):
        export_towers(sequence, tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "other")


def test_what_differs_from_torch_is_not_written(
    sequence: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "TOLERANCE", -1.0)
    with pytest.raises(ArtifactError, match="the graph user_tower differs from torch by"):
        export_towers(sequence, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_not_replaced(sequence: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("dear")
    with pytest.raises(ExportError, match=r"not a folder that .* wrote; choose another"):
        export_towers(sequence, tmp_path)
    assert content(tmp_path) == {"mine": b"dear"}


def test_the_command(sequence: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["export", "--to", "onnx", "--artifacts", sequence.folder, "--output", tmp_path / "o"]
    assert "differ from torch's by at most" in twotower(*command).stderr
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert 'needs onnx: pip install "twotower[onnx]"' in error_of(*command)
