"""Where a model is trained, and how many threads it may use."""

import os
from typing import Literal

import torch
from torch import Tensor

from twotower.common.errors import ConfigError

MIN_STEP_WORK = 2**26
"""Scores of a training step, times their dimensions, from which `auto` takes a GPU.

On one CPU thread such a step takes 7 ms: no less than a GPU, where launches are the limit.
"""

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(device: Device) -> Device:
    """Where models may be trained: `auto` only where there is a CUDA device to choose.

    Raises:
        ConfigError: if the device is cuda and there is none.
    """
    if device != "cpu" and torch.cuda.is_available():
        return device
    if device == "cuda":
        msg = "train.device: cuda, but this machine has no usable CUDA device"
        raise ConfigError(msg)
    return "cpu"


def device_for(device: Device, step_work: int) -> str:
    """`cpu` or `cuda`, where a model is trained.

    Args:
        device: `train.device`.
        step_work: see `fit.step_work`.

    Raises:
        ConfigError: see `resolve_device`.
    """
    allowed = resolve_device(device)
    if allowed == "auto":
        return "cuda" if step_work >= MIN_STEP_WORK else "cpu"
    return allowed


def describe_gpu(device: Device) -> dict[str, str]:
    """The GPU that `train.device` allows, and the CUDA of this torch; empty without one."""
    if resolve_device(device) == "cpu":
        return {}
    return {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}


def is_queued(tensor: Tensor) -> bool:
    """Whether work on the tensor is queued: what depends on its values makes the program wait."""
    return tensor.device.type != "cpu"


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
