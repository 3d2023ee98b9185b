import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from mlflow import MlflowClient

from twotower.tracking.store import store_uri


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """Tracking sets variables for mlflow; other tests shall not see them."""
    with mock.patch.dict(os.environ):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, which take seconds to create."""
    root = tmp_path_factory.mktemp("store")
    MlflowClient(tracking_uri=store_uri(None, root)).search_experiments()
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, tmp_path)
    return tmp_path
