"""The towers' weights, read from a file that nobody vouches for.

`torch.load(..., weights_only=True)` runs no code. Before it reads anything, the archive is held to
what `torch.save` writes of a dict of tensors: records as they are, so that none expands, and a
pickle of these few names.
"""

import pickle
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from io import FileIO
from typing import TYPE_CHECKING, Any

from twotower.common.bounded import shown
from twotower.config.training import ModelConfig
from twotower.data.prepared import Catalogue

if TYPE_CHECKING:
    from torch import Tensor

    from twotower.training.towers import TwoTower

NAMES = {
    "torch._utils _rebuild_tensor_v2",
    "collections OrderedDict",
    *(f"torch {kind}Storage" for kind in ("Float", "Long", "Int", "Bool", "Double")),
}
"""What the pickle of a dict of tensors may name."""
UNPICKLING = (
    *(pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, IndexError, EOFError),
    *(AttributeError, AssertionError, MemoryError, OverflowError, struct.error),
)
"""What torch's reader raises at an archive or a pickle that makes no sense."""
LONGEST_PICKLE = 1 << 24
"""Bytes of the pickle, at most; a tensor takes about a hundred."""


def read_weights(handle: FileIO) -> "dict[str, Tensor]":
    """The weights in a file that `torch.save` wrote, on the CPU.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is anything but a dict of tensors.
    """
    import torch

    _check_archive(handle)
    handle.seek(0)
    try:
        weights = torch.load(handle, map_location="cpu", weights_only=True)
    except UNPICKLING as error:
        msg = f"best_model.pth cannot be read ({error})"
        raise ValueError(msg) from None
    size = handle.seek(0, 2)
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and _is_plain(each) for name, each in weights.items()
    ):
        msg = "best_model.pth is no dict of tensors"
        raise ValueError(msg)
    if sum(each.nbytes for each in weights.values()) > size:
        msg = "best_model.pth has tensors that share their values"
        raise ValueError(msg)
    return weights


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


def _check_archive(handle: FileIO) -> None:
    handle.seek(0)
    if handle.read(4) != b"PK\3\4":  # torch would read what lies before the archive
        msg = "best_model.pth is not what torch.save writes"
        raise ValueError(msg)
    try:
        with zipfile.ZipFile(handle) as archive:
            records = archive.infolist()
            kept = all(each.compress_type == zipfile.ZIP_STORED for each in records)
            if not kept or any(each.file_size != each.compress_size for each in records):
                msg = "best_model.pth is a compressed archive, which torch.save does not write"
                raise ValueError(msg)
            pickles = [each for each in records if each.filename.lower().endswith("/data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > LONGEST_PICKLE:
                msg = "best_model.pth is not what torch.save writes"
                raise ValueError(msg)
            _check_pickle(archive.read(pickles[0]))
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


def _is_plain(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.layout is torch.strided
