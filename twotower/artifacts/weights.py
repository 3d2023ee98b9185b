"""The towers' weights, read from a file that nobody vouches for, without torch.

The archive is held to what `torch.save` writes of a dict of tensors: records as they are, so that
none expands, and a pickle that `TensorPickle` follows, without calling anything.
"""

import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import FileIO
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from twotower.artifacts.tensor_pickle import TensorPickle
from twotower.config.training import ModelConfig
from twotower.data.prepared import Catalogue

if TYPE_CHECKING:
    from torch import Tensor

    from twotower.training.towers import TwoTower

UNREADABLE = (
    *(zipfile.BadZipFile, RuntimeError, ValueError, KeyError, IndexError, EOFError, struct.error),
    *(TypeError, OverflowError, MemoryError),
)
"""What reading an archive or a pickle that makes no sense raises."""
LONGEST_PICKLE = 1 << 20
"""Bytes of the pickle, at most; a tensor takes about a hundred."""
PICKLE = "/data.pkl"


def read_weights(handle: FileIO) -> dict[str, NDArray[Any]]:
    """The weights in a file that `torch.save` wrote.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is anything but a dict of tensors.
    """
    with _archive(handle) as (archive, folder, pickled):
        record = cache(lambda key: bytearray(archive.read(f"{folder}/data/{key}")))
        try:
            weights = TensorPickle(record).read(pickled)
        except UNREADABLE as error:
            msg = f"best_model.pth cannot be read ({error})"
            raise ValueError(msg) from None
    if sum(each.nbytes for each in weights.values()) > handle.seek(0, 2):
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
        with torch.random.fork_rng(devices=[]):  # whose numbers are the caller's
            return load_towers(catalogue, config, weights)
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        msg = f"best_model.pth does not fit model_meta.json ({error})"
        raise ValueError(msg) from None


@contextmanager
def _archive(handle: FileIO) -> Iterator[tuple[zipfile.ZipFile, str, bytes]]:
    """The archive, the name of the folder in it, and the pickle."""
    size = handle.seek(0, 2)
    handle.seek(0)
    if handle.read(4) != b"PK\3\4":  # others would read what lies before the archive
        msg = "best_model.pth is not what torch.save writes"
        raise ValueError(msg)
    try:
        with zipfile.ZipFile(handle) as archive:
            _check_records(archive.infolist(), size)
            [name] = [one for one in archive.namelist() if one.lower().endswith(PICKLE)]
            folder, pickled = name[: -len(PICKLE)], archive.read(name)
            order = f"{folder}/byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                msg = "best_model.pth was written by a machine of another byte order"
                raise ValueError(msg)
            yield archive, folder, pickled
    except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
        msg = f"best_model.pth is not what torch.save writes ({error})"
        raise ValueError(msg) from None


def _check_records(records: list[zipfile.ZipInfo], size: int) -> None:
    """Require records that need no more memory than the file has bytes."""
    kept = all(each.compress_type == zipfile.ZIP_STORED for each in records)
    if not kept or any(each.file_size != each.compress_size for each in records):
        msg = "best_model.pth is a compressed archive, which torch.save does not write"
        raise ValueError(msg)
    pickles = [each for each in records if each.filename.lower().endswith(PICKLE)]
    is_small = sum(each.file_size for each in records) <= size  # records may lie over each other
    if len(pickles) != 1 or pickles[0].file_size > LONGEST_PICKLE or not is_small:
        msg = "best_model.pth is not what torch.save writes"
        raise ValueError(msg)


def _forms(weights: "Mapping[str, Tensor]") -> dict[str, str]:
    return {name: f"{each.dtype} {tuple(each.shape)}" for name, each in weights.items()}
