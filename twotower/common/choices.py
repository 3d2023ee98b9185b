"""Tables of what a parameter may name; each row says all there is to say of one choice."""

from collections.abc import Callable, Collection
from functools import cache
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar


class Row(Protocol):
    """A row is any immutable object with a name."""

    @property
    def name(self) -> str:
        """What params.yaml calls it."""


R = TypeVar("R", bound=Row)


class Table(dict[str, R], Generic[R]):
    """Rows by name, in the order in which they are listed.

    Attributes:
        parameter: the key of params.yaml that names a row, for messages.
    """

    def __init__(self, parameter: str, *rows: R) -> None:
        """List the rows.

        Raises:
            ValueError: if two rows have one name.
        """
        super().__init__({row.name: row for row in rows})
        self.parameter = parameter
        if len(self) < len(rows):
            msg = f"{parameter}: two rows have the same name"
            raise ValueError(msg)

    def __missing__(self, name: str) -> R:
        """A name that no row has is an error wherever it is looked up, never another row.

        Raises:
            KeyError: always.
        """
        msg = f"{self.parameter}: no row is named {name!r}"
        raise KeyError(msg)

    def check(self, name: str) -> str:
        """The name, if a row has it: the validator of a parameter.

        Raises:
            ValueError: listing the names that there are.
        """
        return check_choice(name, self)


def check_choice(name: str, choices: Collection[str]) -> str:
    """The name, if it is one of the choices.

    Raises:
        ValueError: listing them.
    """
    if name not in choices:
        msg = f"must be one of {', '.join(choices)}, got {name!r}"
        raise ValueError(msg)
    return name


def lazy(path: str) -> Callable[..., Any]:
    """The function `module:name`, imported when it is first called: torch takes seconds to import.

    It lets a row of `config`, which every stage reads, name a function of a room above it.
    """
    module, _, name = path.partition(":")

    @cache  # a loss is called for each batch
    def function() -> Callable[..., Any]:
        loaded: Callable[..., Any] = getattr(import_module(module), name)
        return loaded

    def call(*args: Any, **kwargs: Any) -> Any:
        return function()(*args, **kwargs)

    call.__qualname__ = path
    return call
