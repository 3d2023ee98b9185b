"""Where a model is trained, and how many threads it may use."""

import os
from typing import Literal

import torch

from twotower.common.errors import ConfigError


def resolve_device(device: Literal["auto", "cpu", "cuda"]) -> str:
    """`cpu` or `cuda`.

    Raises:
        ConfigError: if CUDA is asked for and not there.
    """
    if device == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        msg = "train.device: cuda was asked for, but this machine has no usable CUDA device"
        raise ConfigError(msg)
    return "cpu"


def use_threads(threads: int) -> None:
    """Fix the threads of every later computation in this process, and refuse racy kernels."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what CUDA needs for the latter
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Filling new tensors would show reads of what was never written, at a quarter of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_float32_matmul_precision("highest")
