"""An empty store of MLflow, which documents of tracking would take seconds to make."""

from tests.registry.conftest import empty_registry  # noqa: F401
