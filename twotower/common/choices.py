"""Tables of what a parameter may name; each row says all there is to say of one choice."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from twotower.common.bounded import shortened, shown


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
        raise ValueError(choice_rule(name, choices))
    return name


@dataclass(frozen=True)
class OneOf:
    """The validator of a parameter with choices that are no table, or one that is slow to import.

    Attributes:
        choices: gives their names.
    """

    choices: Callable[[], Collection[str]]

    def __call__(self, name: str) -> str:
        """The name, if it is one of the choices.

        Raises:
            ValueError: listing them.
        """
        return check_choice(name, self.choices())


def choices_of(validator: Any) -> Collection[str] | None:
    """The names that `Table.check` or a `OneOf` accepts; None of any other validator."""
    if isinstance(validator, OneOf):
        return validator.choices()
    table = getattr(validator, "__self__", None)
    return table if isinstance(table, Table) else None


def choice_rule(given: Any, choices: Collection[str]) -> str:
    """What to write in place of a name that is none of the choices."""
    rule = f"must be one of {', '.join(choices)}, got {shown(given)}"
    meant = did_you_mean(nearest(given, choices))
    return f"{rule}; {meant}" if meant else rule


def nearest(given: Any, choices: Collection[str]) -> list[str]:
    """The choice that is nearest to what was given, if it may be a slip of the pen."""
    return get_close_matches(shortened(str(given)), choices, n=1)


def did_you_mean(names: Collection[str]) -> str:
    """The question; empty without names."""
    return f"did you mean {' or '.join(names)}?" if names else ""


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
