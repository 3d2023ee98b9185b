"""In which arm of an experiment a line of a log is."""

from collections.abc import Mapping
from typing import Any

from twotower.ab.assignment import assign
from twotower.ab.exposures import ArmOf
from twotower.common.bounded import shown
from twotower.common.errors import ConfigError, DataError

ARMS = {"control": False, "treatment": True}


class LoggedArms:
    """As the service logged them: `experiment` and `arm`."""

    def __init__(self, name: str | None) -> None:
        """Begin.

        Args:
            name: of the experiment; None: the only one that the log has.
        """
        self.name = name
        self._is_given = name is not None

    def __call__(self, line: Mapping[str, Any]) -> bool | None:
        """See `ArmOf`.

        Raises:
            ValueError: if the name is no text, or an arm of the experiment is none.
            DataError: if there are several experiments, and none was named.
        """
        name, arm = line.get("experiment"), line.get("arm")
        if name is None or arm is None:
            return None
        if not isinstance(name, str):
            msg = f"experiment must be text, not {shown(name)}"
            raise ValueError(msg)
        self.name = self.name or name
        if name != self.name:
            if self._is_given:
                return None
            msg = f"the log has several experiments, {self.name} and {name}: name one, --experiment"
            raise DataError(msg)
        if not isinstance(arm, str) or arm not in ARMS:
            msg = f"arm must be control or treatment, not {shown(arm)}"
            raise ValueError(msg)
        return ARMS[arm]


class ArmsByModel:
    """By the version of the model that answered."""

    def __init__(self, control: str, treatment: str) -> None:
        """Begin.

        Raises:
            ConfigError: if both are the same.
        """
        if control == treatment:
            msg = f"--control and --treatment: both are {control}"
            raise ConfigError(msg)
        self._arms = {control: False, treatment: True}

    def __call__(self, line: Mapping[str, Any]) -> bool | None:
        """See `ArmOf`."""
        return self._arms.get(str(line.get("model")))


def arms_by_assignment(name: str, share: float) -> ArmOf:
    """By what `assign` says of the user, of lines of any model."""

    def arm_of(line: Mapping[str, Any]) -> bool | None:
        user = line.get("user_id")
        return False if user is None else assign(user, name, share)

    return arm_of
