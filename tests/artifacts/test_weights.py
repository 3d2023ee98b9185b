"""Weights, and files that are none."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.artifacts.test_histories import TRAIN
from tests.conftest import catalogue_of
from twotower.artifacts.weights import load_checked, read_weights
from twotower.config.training import ModelConfig
from twotower.training.towers import TwoTower

REBUILD = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"\x80\x02(K\0ctorch\nFloatStorage\nK\0K\0K\1tQ."


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (1 << 40,)


class Storage:
    """Stands for one number."""


class Written:
    """A tensor that says any shape of itself."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = torch._utils._rebuild_tensor_v2  # type: ignore[attr-defined]
        return rebuild, (Storage(), *self.arguments, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        is_storage = isinstance(value, Storage)
        return ("storage", torch.FloatStorage, "0", "cpu", 1) if is_storage else None


def written(offset: int, shape: tuple[int, ...], steps: tuple[int, ...]) -> bytes:
    """The pickle of such a tensor."""
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({"a": Written(offset, shape, steps)})
    return buffer.getvalue()


def archive(pickled: Any, size: int = 4, kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    content = pickled if isinstance(pickled, bytes) else pickle.dumps(pickled, protocol=2)
    with zipfile.ZipFile(buffer, "w", kind) as made:
        made.writestr("a/data.pkl", content)
        made.writestr("a/data/0", bytes(size))
        made.writestr("a/version", "3\n")
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
    assert all(np.array_equal(again[name], weights[name].numpy()) for name in weights)
    assert all(again[name].dtype == weights[name].numpy().dtype for name in weights)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(Payload()), "which is no weight"),
        (archive(Bomb()), "which is no weight"),
        (archive({}, size=1 << 24, kind=zipfile.ZIP_DEFLATED), "a compressed archive"),
        (archive({"a": 5}), "best_model.pth"),
        (archive(written(0, (2,), (1,))), "leads out of its storage"),
        (archive(written(-4, (1,), (1,))), "leads out of its storage"),
        (archive(written(0, (1, 2), (1, -1))), "leads out of its storage"),
        (pickle.dumps(Payload()), "not what torch.save writes"),
        (pickle.dumps(Payload()) + torch_saved({}), "not what torch.save writes"),
        (two_pickles(), "not what torch.save writes"),
        (torch_saved({"a": torch.zeros(1).expand(1 << 40)}), "share their values"),
        (torch_saved({"a": torch.eye(3).to_sparse()}), "which is no weight"),
        (torch_saved([torch.zeros(1)]), "which is no weight"),
        (archive(b"\x80\x02}K\x01" + b"\x85" * 9**5 + b"K\x01s."), "no dict of tensors"),
        (archive(STORAGE.replace(b"K\0", b"K\1\x85" + b"q\0h\0\x86" * 40)), "no dict of tensors"),
        (archive(REBUILD + b"}X\1\0\0\0aK\1sb."), "no dict of tensors"),
        (archive(REBUILD + b")b."), "'BUILD', which is no weight"),
        (archive({}).replace(b"\0\0\0\0\0\0", b"\0\0\1\0\0\0", 1), "best_model.pth"),
        (torch_saved({"a": torch.ones(1)}).replace(b"little", b"bigbig"), "best_model.pth"),
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
