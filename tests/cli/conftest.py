"""The registry of a shop, which the registry's own tests have as well; what a command shows."""

import pytest

from tests.registry.conftest import registry, workspace  # noqa: F401
from twotower.common.progress import Step, Steps


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the steps that have begun, in their order."""
    names: list[str] = []
    begin = Steps.begin

    def noting(steps: Steps, one: Step) -> Step:
        names.append(one.name)
        return begin(steps, one)

    monkeypatch.setattr(Steps, "begin", noting)
    return names
