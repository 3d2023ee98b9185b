"""How a broken rule of params.yaml is explained: the rule, what was given, what to write."""

import json
import re
from collections.abc import Callable
from typing import Any

from twotower.common.bounded import shortened
from twotower.common.choices import choice_rule, did_you_mean, nearest
from twotower.common.secrets import mask_credentials
from twotower.config.numbers import read_number
from twotower.config.places import Place


def explain(problem: Any, place: Place) -> str:
    """One of pydantic's errors as a rule and the value that breaks it, without credentials.

    Args:
        problem: of `ValidationError.errors()`.
        place: of params.yaml, for commands and suggestions.
    """
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown(place)
        case "missing":
            return "is missing"
        case "value_error":
            return str(problem["msg"].removeprefix("Value error, "))
        case "literal_error":
            return choice_rule(given, _quoted(context["expected"]))
        case "union_tag_invalid":
            return f"type {choice_rule(context['tag'], _quoted(context['expected_tags']))}"
    rule = RULES.get(kind, problem["msg"])
    message = rule.format(**context) if isinstance(rule, str) else rule(given, place.key)
    # In a value, other than in a text, a password may have blanks: it ends with the last @.
    hidden = mask_credentials(re.sub("://.*@", "://***@", repr(given)))
    return f"{message}, got {shortened(hidden)}"


def _unknown(place: Place) -> str:
    """A key that there is not: perhaps misspelt, of another section, or left there by `-S`."""
    name = place.key.rpartition(".")[2]
    meant = did_you_mean([*nearest(name, place.siblings), *place.homes])
    if meant:
        return f"there is no such key; {meant}"
    known = ", ".join(place.siblings)
    return f"there is no such key (there are {known}): leave it out, or -S '~{place.key}'"


def _quoted(listed: str) -> list[str]:
    return re.findall("'(.*?)'", listed)


def _number(given: Any, _key: str) -> str:
    point = str(given).replace(",", ".")
    fits = isinstance(given, str) and read_number(point) is not None
    return f"must be a number, such as {point if fits else '0.5 or 1e-3'}"


def _text(given: Any, _key: str) -> str:
    if given is None or isinstance(given, list | dict):
        return "must be text"
    shown = json.dumps(given) if isinstance(given, bool | int | float) else str(given)
    return f"must be text: write '{shortened(shown)}', in quotes"


def _list(given: Any, key: str) -> str:
    if not isinstance(given, bool | int | float | str):
        return "must be a list, such as [a, b]"
    parts = [part for part in re.split(r"[\s,;()\[\]]+", str(given)) if part]
    example = shortened(f"[{','.join(parts)}]")
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
    "int_parsing_size": "must be a smaller number",
    **dict.fromkeys(("float_type", "float_parsing"), _number),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), _list),
    **dict.fromkeys(("model_type", "model_attributes_type"), _mapping),
    "dict_type": _named_values,
    "string_type": _text,
    "union_tag_not_found": "must have a type",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be greater than or equal to {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be less than or equal to {le:g}",
    "finite_number": "must be a finite number",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} character",
    "too_short": "must have {min_length} or more entries",
    "string_pattern_mismatch": "may have letters, digits, dots, hyphens and underscores only",
    "invalid_key": "keys must be text, in quotes",
}
"""What to write, by pydantic's type of error; its figures fill the braces, and functions are given
the value and its key."""
