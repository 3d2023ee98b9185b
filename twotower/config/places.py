"""Where in params.yaml something is wrong, and which keys there are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from twotower.config.section import Section


@dataclass(frozen=True)
class Place:
    """A key of params.yaml, known or not.

    Attributes:
        key: dotted; empty: the whole file.
        siblings: the keys that its section has; none where any name is one.
        homes: dotted keys of the file that end in the same name.
    """

    key: str
    siblings: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()


def locate(root: type[Section], location: tuple[str | int, ...]) -> Place:
    """The place of one of pydantic's errors.

    Args:
        root: that was validated.
        location: the keys on the way to it; of a union also the `type` of its member, and of a bad
            key "[key]", neither of which is a key of the file.
    """
    kind: Any = root
    parts: list[str] = []
    siblings: tuple[str, ...] = ()
    for part in location:
        sections = list(_sections(kind))
        tagged = [section for section in sections if _tag(section) == part]
        if len(sections) > 1 and tagged:
            kind = tagged[0]
            continue
        if part != "[key]":
            parts.append(str(part))
            siblings = tuple(sections[0].model_fields) if sections else ()
            kind = _inside(kind, str(part))
    name = parts[-1] if parts else ""
    return Place(".".join(parts), siblings, tuple(k for k in _keys(root) if _last(k) == name))


def _inside(kind: Any, name: str) -> Any:
    """The type of the value of a key."""
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    fields = [section.model_fields.get(name) for section in _sections(kind)]
    return next((field.annotation for field in fields if field), None)


def _sections(kind: Any) -> Iterator[type[Section]]:
    """The sections that a value of this type may be."""
    if isinstance(kind, type) and issubclass(kind, Section):
        yield kind
    elif get_origin(kind) is Annotated:
        yield from _sections(get_args(kind)[0])
    elif get_origin(kind) not in (dict, tuple):
        for member in get_args(kind):
            yield from _sections(member)


def _tag(section: type[Section]) -> str | None:
    """What `type` must be for a value to be this section of a union."""
    field = section.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field and get_args(field.annotation) else None


def _keys(section: type[Section], above: str = "") -> Iterator[str]:
    """The dotted keys that a file always may have: not those below names of the user's."""
    for name, field in section.model_fields.items():
        yield above + name
        inner = list(_sections(field.annotation))
        if len(inner) == 1:
            yield from _keys(inner[0], f"{above}{name}.")


def _last(key: str) -> str:
    return key.rpartition(".")[2]
