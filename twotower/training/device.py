"""Where a model is trained, and how many threads it may use."""

import os
from typing import Literal

import torch

from twotower.common.errors import ConfigError


def resolve_device(device: Literal["auto", "cpu", "cuda"]) -> str:
    """`cpu` or `cuda`.

    Raises:
        ConfigError: if the device is cuda and there is none.
    """
    if device == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        msg = "train.device: cuda, but this machine has no usable CUDA device"
        raise ConfigError(msg)
    return "cpu"


def use_threads(threads: int) -> None:
    """Set the number of threads of this process, and allow deterministic kernels only."""
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # required by deterministic CUDA kernels
    torch.set_num_threads(threads)
    # Not use_deterministic_algorithms, which imports torch's compiler to tell it too.
    torch.set_deterministic_debug_mode("error")
    # Filling new tensors exposes reads of uninitialised memory, but takes a quarter of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_float32_matmul_precision("highest")
