"""A folder of the towers for other runtimes, which Triton takes as a model repository.

user_tower/1/model.onnx, item_tower/1/model.onnx
                    the graphs, see `twotower.onnx.towers`
user_tower/config.pbtxt, item_tower/config.pbtxt
                    what Triton is told of them
item_vecs.npy       of the model: the inner products of user vectors with these rank items
user_ids.jsonl, item_ids.jsonl
                    a JSON value per line: the id of each index, from 0
onnx.json           inputs, outputs, features, the difference from torch, SHA-256 of the other files
example.json        inputs and what is computed from them, for a service to test itself with
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts import Artifacts, IdColumn, version_of
from twotower.artifacts.write import file_digests
from twotower.common.arrays import save_array
from twotower.common.errors import ExportError
from twotower.common.files import atomic_write, write_json, write_text
from twotower.common.folders import atomic_folder, is_replaceable
from twotower.common.paths import check_place
from twotower.common.progress import step
from twotower.data.features import Features
from twotower.data.interactions import ItemLists
from twotower.onnx.check import compare, histories_of
from twotower.onnx.graph import OPSET
from twotower.onnx.run import OnnxTowers
from twotower.onnx.tower import feature_inputs
from twotower.onnx.towers import HISTORY_ALONE, NEW, PADDING
from twotower.retrieval.exact import Candidates, top_k

if TYPE_CHECKING:
    from onnx import ModelProto

MANIFEST, EXAMPLE = "onnx.json", "example.json"
FORMAT_VERSION = 1
"""Raise it when the layout of the folder or the meaning of an input changes."""
BEST = 5
"""Items that the example recommends to each user."""
TYPES = {"int64": "TYPE_INT64", "float32": "TYPE_FP32"}
"""What Triton calls them."""


def export_towers(artifacts: Artifacts, folder: Path) -> str:
    """Write the towers of a model, whole or not at all; the same model gives the same bytes.

    Args:
        artifacts: the model.
        folder: replaced if it is one that this wrote.

    Returns:
        What was done, in a line.

    Raises:
        ArtifactError: if the model is damaged, or a graph computes something else than torch.
        ConfigError: if the folder is below a file, or a table is too large for a graph.
        ExportError: if the folder holds something else.
    """
    check_place(folder)
    if not is_replaceable(folder, MANIFEST):
        msg = f"{folder}: is not a folder that `twotower export --to onnx` wrote; choose another"
        raise ExportError(msg)
    version, towers = version_of(artifacts.folder), OnnxTowers(artifacts)
    with step("comparing the graphs with torch"):
        difference = compare(artifacts, towers)
    with step(f"writing {folder}"), atomic_folder(folder, MANIFEST) as target:
        graphs = {"user_tower": towers.user_graph(), "item_tower": towers.item_graph()}
        for name, graph in graphs.items():
            _write_graph(target / name, name, graph)
        with atomic_write(target / "item_vecs.npy") as handle:
            save_array(handle, np.asarray(artifacts.item_vecs))
        _write_ids(target / "user_ids.jsonl", artifacts.user_ids)
        _write_ids(target / "item_ids.jsonl", artifacts.item_ids)
        write_json(target / EXAMPLE, _example(artifacts, towers))
        described = {
            "format_version": FORMAT_VERSION,
            "made_by": "twotower export",
            "model": version,
            "opset": OPSET,
            "dim": artifacts.config.dim,
            "similarity": artifacts.config.similarity,
            "graphs": {name: _described(graph) for name, graph in graphs.items()},
            "features": {
                "users": _features(towers.model.users),
                "items": _features(towers.model.items),
            },
            "indices": {"new": NEW, "history_alone": HISTORY_ALONE, "padding": PADDING},
            "difference": asdict(difference),
            "files": file_digests(target),
        }
        write_json(target / MANIFEST, described)
    return (
        f"{folder}: towers of model {version[:12]}; at {difference.users:,} users and "
        f"{difference.items:,} items the vectors differ from torch's by at most "
        f"{difference.user_tower:.1e} and {difference.item_tower:.1e}"
    )


def _write_graph(folder: Path, name: str, graph: "ModelProto") -> None:
    with atomic_write(folder / "1" / "model.onnx") as handle:
        handle.write(graph.SerializeToString(deterministic=True))
    described = _described(graph)
    lines = [f'name: "{name}"', 'backend: "onnxruntime"', "max_batch_size: 0"]
    for kind in ("input", "output"):
        for each in described[f"{kind}s"]:
            axes = ", ".join(str(-1 if isinstance(axis, str) else axis) for axis in each["shape"])
            lines.append(
                f'{kind} {{ name: "{each["name"]}" data_type: {TYPES[each["type"]]} '
                f"dims: [ {axes} ] }}"
            )
    write_text(folder / "config.pbtxt", "\n".join(lines) + "\n")


def _described(graph: "ModelProto") -> dict[str, list[dict[str, Any]]]:
    """Name, type and shape of each input and output; axes with a name have any length."""
    from onnx.helper import tensor_dtype_to_np_dtype

    return {
        f"{kind}s": [
            {
                "name": value.name,
                "type": tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
                "shape": [
                    axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim
                ],
            }
            for value in getattr(graph.graph, kind)
        ]
        for kind in ("input", "output")
    }


def _features(features: Features) -> dict[str, dict[str, Any]]:
    """The input of each feature, and how its values are encoded."""
    return {
        name: {"input": f"feature_{position}", **spec}
        for position, (name, spec) in enumerate(sorted(features.schema().items()))
    }


def _write_ids(path: Path, ids: IdColumn) -> None:
    write_text(path, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in ids.all))


def _example(artifacts: Artifacts, towers: OnnxTowers) -> dict[str, Any]:
    """A known user, a new one and a history alone; two known items and a new one."""
    users = np.arange(min(3, len(artifacts.user_ids)))
    user_inputs = {"user_idx": np.array([0, NEW, HISTORY_ALONE])[: len(users)]}
    if towers.model.read is not None:
        user_inputs["history"] = histories_of(artifacts, users)
    user_inputs |= feature_inputs(towers.model.users.take(users))
    items = np.arange(min(3, len(artifacts.item_ids)))
    item_inputs = {"item_idx": np.array([0, 1, NEW])[: len(items)]}
    item_inputs |= feature_inputs(towers.model.items.take(items))
    [vectors] = towers.user_tower.of_all(user_inputs)
    count = min(BEST, len(artifacts.item_ids))
    best, _ = top_k(vectors, Candidates(artifacts.item_vecs), count, ItemLists.empty(len(vectors)))
    names = [each.name for each in towers.item_graph().graph.output]
    outputs = dict(zip(names, towers.item_tower.of_all(item_inputs), strict=True))
    return {
        "user_tower": {"inputs": _plain(user_inputs), "outputs": _plain({"user_vector": vectors})},
        "item_tower": {"inputs": _plain(item_inputs), "outputs": _plain(outputs)},
        "best_items": [artifacts.item_ids.decode(row) for row in best],
    }


def _plain(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {name: values.tolist() for name, values in arrays.items()}
