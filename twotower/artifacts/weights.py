"""The towers' weights, read from a file that nobody vouches for, without torch.

The archive is held to what `torch.save` writes of a dict of tensors: records as they are, so that
none expands, and a pickle of these few names, none of which is torch's code.
"""

import math
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO, FileIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from twotower.common.bounded import shown
from twotower.config.training import ModelConfig
from twotower.data.prepared import Catalogue

if TYPE_CHECKING:
    from torch import Tensor

    from twotower.training.towers import TwoTower

STORAGES = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
    "torch BoolStorage": np.dtype("?"),
}
NAMES = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict", *STORAGES}
"""What the pickle of a dict of tensors may name."""
UNPICKLING = (
    *(pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, IndexError, EOFError),
    *(AttributeError, AssertionError, MemoryError, OverflowError, struct.error),
)
"""What reading an archive or a pickle that makes no sense raises."""
LONGEST_PICKLE = 1 << 24
"""Bytes of the pickle, at most; a tensor takes about a hundred."""
PICKLE = "/data.pkl"


def read_weights(handle: FileIO) -> dict[str, NDArray[Any]]:
    """The weights in a file that `torch.save` wrote.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is anything but a dict of tensors.
    """
    with _archive(handle) as (archive, folder, pickled):
        try:
            weights = _Reader(archive, folder, pickled).load()
        except UNPICKLING as error:
            msg = f"best_model.pth cannot be read ({error})"
            raise ValueError(msg) from None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(each, np.ndarray) for name, each in weights.items()
    ):
        msg = "best_model.pth is no dict of tensors"
        raise ValueError(msg)
    if sum(each.nbytes for each in weights.values()) > handle.seek(0, 2):
        msg = "best_model.pth has tensors that share their values"
        raise ValueError(msg)
    return weights


class _Reader(pickle.Unpickler):
    """Reads tensors as arrays."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, pickled: bytes) -> None:
        super().__init__(BytesIO(pickled))
        self._record = cache(lambda key: bytearray(archive.read(f"{folder}/data/{key}")))

    def find_class(self, module: str, name: str) -> Any:
        """What stands for one of NAMES."""
        known = {"_rebuild_tensor_v2": _tensor, "OrderedDict": OrderedDict}
        return STORAGES.get(f"{module} {name}") or known[name]

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """The numbers of a storage."""
        _, dtype, key, _, _ = pid
        return np.frombuffer(self._record(key), dtype)


def _tensor(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], steps: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """A tensor as a view of its storage, which has every element once."""
    count: int = math.prod(shape)
    last = offset + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    if min((offset, *shape, *steps)) < 0 or (count and last >= len(storage)):
        msg = "a tensor leads out of its storage"
        raise ValueError(msg)
    if count > len(storage):
        msg = "it has tensors that share their values"
        raise ValueError(msg)
    width = storage.itemsize
    return as_strided(storage[offset:], shape, [step * width for step in steps])


def load_checked(
    catalogue: Catalogue, config: ModelConfig, weights: "Mapping[str, Tensor]"
) -> "TwoTower":
    """The towers of `load_towers`, if these are their weights.

    Raises:
        ValueError: if the configuration asks for other weights; no memory is taken for those.
    """
    import torch

    from twotower.training.towers import load_towers, towers_for

    if max(config.sequence_blocks, len(config.hidden)) > len(weights):
        msg = "best_model.pth has too few weights for the layers of model_meta.json"
        raise ValueError(msg)
    try:
        with torch.device("meta"):
            wanted = _forms(towers_for(catalogue, config, weights).state_dict())
        if wanted != _forms(weights):
            odd = min(dict(wanted.items() ^ _forms(weights).items()))
            msg = f"{odd!r} should be {wanted.get(odd)}, is {_forms(weights).get(odd)}"
            raise KeyError(msg)
        return load_towers(catalogue, config, weights)
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        msg = f"best_model.pth does not fit model_meta.json ({error})"
        raise ValueError(msg) from None


@contextmanager
def _archive(handle: FileIO) -> Iterator[tuple[zipfile.ZipFile, str, bytes]]:
    """The archive, the name of the folder in it, and the pickle, which may be read."""
    handle.seek(0)
    if handle.read(4) != b"PK\3\4":  # others would read what lies before the archive
        msg = "best_model.pth is not what torch.save writes"
        raise ValueError(msg)
    try:
        with zipfile.ZipFile(handle) as archive:
            records = archive.infolist()
            kept = all(each.compress_type == zipfile.ZIP_STORED for each in records)
            if not kept or any(each.file_size != each.compress_size for each in records):
                msg = "best_model.pth is a compressed archive, which torch.save does not write"
                raise ValueError(msg)
            pickles = [each for each in records if each.filename.lower().endswith(PICKLE)]
            if len(pickles) != 1 or pickles[0].file_size > LONGEST_PICKLE:
                msg = "best_model.pth is not what torch.save writes"
                raise ValueError(msg)
            pickled = archive.read(pickles[0])
            _check_pickle(pickled)
            yield archive, pickles[0].filename[: -len(PICKLE)], pickled
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        msg = f"best_model.pth is not what torch.save writes ({error})"
        raise ValueError(msg) from None


def _check_pickle(content: bytes) -> None:
    """Read the pickle's instructions, without following them."""
    for code, argument, _ in pickletools.genops(content):
        named = code.name in {"STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4", "OBJ", "NEWOBJ"}
        if named or (code.name == "GLOBAL" and argument not in NAMES):
            msg = f"best_model.pth names {shown(argument)}, which is no weight"
            raise ValueError(msg)


def _forms(weights: "Mapping[str, Tensor]") -> dict[str, str]:
    return {name: f"{each.dtype} {tuple(each.shape)}" for name, each in weights.items()}
