"""How a broken rule of params.yaml is explained: the rule, what was given, what to write."""

import json
import re
from collections.abc import Callable
from typing import Any

from twotower.config.numbers import read_number


def explain(problem: Any, key: str) -> str:
    """One of pydantic's errors as a rule and the value that breaks it, without credentials.

    Args:
        problem: of `ValidationError.errors()`.
        key: the dotted key of params.yaml, for commands; empty: the whole file.
    """
    kind, given = problem["type"], problem["input"]
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":  # perhaps what `-S` left: it adds to a mapping
        return f"{message}: leave it out, or -S '~{key}'"
    if kind in ("value_error", "missing"):
        return str(message)
    if rule := RULES.get(kind):
        message = rule if isinstance(rule, str) else rule(given, key)
    shown = re.sub(r"://.*@|password=[^\s'\"&]*", "***", repr(given))
    return f"{message}, got {shown}"


def _number(given: Any, _key: str) -> str:
    point = str(given).replace(",", ".")
    fits = isinstance(given, str) and read_number(point) is not None
    return f"must be a number, such as {point if fits else '0.5 or 1e-3'}"


def _text(given: Any, _key: str) -> str:
    if given is None or isinstance(given, list | dict):
        return "must be text"
    shown = json.dumps(given) if isinstance(given, bool | int | float) else str(given)
    return f"must be text: write '{shown}', in quotes"


def _list(given: Any, key: str) -> str:
    if not isinstance(given, bool | int | float | str):
        return "must be a list, such as [a, b]"
    parts = [part for part in re.split(r"[\s,;()\[\]]+", str(given)) if part]
    example = f"[{','.join(parts)}]"
    return f"must be a list: {example}, or -S '{key}={example}'"


def _mapping(given: Any, key: str) -> str:
    if given is None:
        return f"must be keys and their values; to be without it, leave it out, or -S '~{key}'"
    return "must be keys and their values"


def _named_values(given: Any, key: str) -> str:
    example = "" if given is None else f": {{name: value}}, or -S '+{key}.name=value'"
    return _mapping(given, key) + example


Rule = Callable[[Any, str], str]
RULES: dict[str, str | Rule] = {
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float"), "must be a whole number, such as 10"
    ),
    **dict.fromkeys(("float_type", "float_parsing"), _number),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), _list),
    **dict.fromkeys(("model_type", "model_attributes_type"), _mapping),
    "dict_type": _named_values,
    "string_type": _text,
    "union_tag_not_found": "must have a type",
}
"""What to write, by pydantic's type of error; functions are given the value and its key."""
