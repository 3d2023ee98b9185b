"""The registry of a shop, which the registry's own tests have as well."""

from tests.registry.conftest import empty_registry, registry, workspace  # noqa: F401
