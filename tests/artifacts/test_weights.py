"""Weights, and files that are none."""

import io
import pickle
import zipfile
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.artifacts.test_histories import TRAIN
from tests.conftest import catalogue_of
from twotower.artifacts.weights import load_checked, read_weights
from twotower.config.training import ModelConfig
from twotower.training.towers import TwoTower


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (1 << 40,)


def archive(pickled: Any, size: int = 4, kind: int = zipfile.ZIP_STORED, at: str = "a/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as written:
        written.writestr(f"{at}data.pkl", pickle.dumps(pickled, protocol=2))
        written.writestr(f"{at}data/0", bytes(size))
        written.writestr(f"{at}version", "3\n")
    return buffer.getvalue()


def two_pickles() -> bytes:
    """Of which torch, to which names are the same in capitals, might read the other."""
    buffer = io.BytesIO(archive({}))
    with zipfile.ZipFile(buffer, "a") as written:
        written.writestr("A/DATA.PKL", pickle.dumps(Payload(), protocol=2))
    return buffer.getvalue()


def torch_saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Any]:
    def of(content: bytes) -> Any:
        (tmp_path / "best_model.pth").write_bytes(content)
        with FileIO(tmp_path / "best_model.pth") as handle:
            handle.seek(0, 2)  # where comparing it with its hash leaves it
            return read_weights(handle)

    return of


def test_weights_are_read(read: Callable[[bytes], Any]) -> None:
    weights = {"a": torch.arange(3), "b": torch.rand(2, 2), "c": torch.zeros(0, dtype=torch.bool)}
    again = read(torch_saved(weights))
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(Payload()), "which is no weight"),
        (archive(Bomb()), "which is no weight"),
        (archive({}, size=1 << 24, kind=zipfile.ZIP_DEFLATED), "a compressed archive"),
        (archive({"a": 5}), "best_model.pth"),
        (archive({}, at="../../a/"), "best_model.pth"),
        (pickle.dumps(Payload()), "not what torch.save writes"),
        (pickle.dumps(Payload()) + torch_saved({}), "not what torch.save writes"),
        (two_pickles(), "not what torch.save writes"),
        (torch_saved({"a": torch.zeros(1).expand(1 << 40)}), "share their values"),
        (torch_saved({"a": torch.eye(3).to_sparse()}), "which is no weight"),
        (torch_saved([torch.zeros(1)]), "no dict of tensors"),
        (torch_saved({"a": torch.zeros(9)})[:-30], "not what torch.save writes"),
        (b"", "not what torch.save writes"),
    ],
)
def test_anything_else_is_refused_and_never_run(
    read: Callable[[bytes], Any], content: bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(content)


@pytest.mark.parametrize(
    "model",
    [
        {"dim": 10**9},
        {"hidden": [10**6, 10**6]},
        {"hidden": [8] * 10},
        {"user_tower": "sequence", "sequence_blocks": 10**9},
        {"user_tower": "history"},
    ],
)
def test_a_configuration_of_other_weights_takes_no_memory(model: dict[str, Any]) -> None:
    catalogue = catalogue_of(TRAIN)
    weights = TwoTower(catalogue, ModelConfig(dim=8)).state_dict()
    load_checked(catalogue, ModelConfig(dim=8), weights)
    with pytest.raises(ValueError, match=r"best_model\.pth"):
        load_checked(catalogue, ModelConfig.model_validate({"dim": 8, **model}), weights)
