import os
from collections.abc import Iterator
from unittest import mock

import pytest


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """Tracking sets variables for mlflow; other tests shall not see them."""
    with mock.patch.dict(os.environ):
        yield
