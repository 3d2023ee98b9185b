"""Writing a model folder."""

import errno
from pathlib import Path

import pytest
import torch

from twotower.artifacts.write import save_weights


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_weights_that_do_not_fit_say_that_the_disk_is_full() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError) as raised:  # noqa: PT011
        save_weights(full, {"layer": torch.zeros(1000)})
    assert raised.value.errno == errno.ENOSPC
