"""The tables of docs/parameters.md: what the schema says of each key, and what a change reruns."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.config.schema import NUMBER, TRUTH, Schema, params_schema
from tests.conftest import REPOSITORY
from twotower.common.yaml_file import read_yaml
from twotower.config.params import Config, load_config

SCHEMA = params_schema()
STAGES = read_yaml(REPOSITORY / "dvc.yaml")["stages"]
DEFAULTS = Config().model_dump(mode="json")
COMMITTED = load_config(REPOSITORY / "params.yaml").model_dump(mode="json")
NOTHING = "\u2013"
WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "names and values",
    "null": "null",
}
VALUES = {
    "format_version": "1",
    "data.users.features": "columns, each with a kind, or with the keys of a feature (below)",
    "data.items.features": "columns, each with a kind, or with the keys of a feature (below)",
    "hpo.objective": "`mrr`, or another metric of each user at one of `evaluate.ks`",
    "hpo.objectives": "null, or two or more metrics at `evaluate.ks`, as a list or with directions",
    "hpo.choose.limits": "values by metric",
    "hpo.choose.weights": "numbers above 0 by metric",
    "hpo.search_space": "entries (below) by name",
    "hpo.fixed": "hyperparameters and values",
    "hpo.sampler": "a name (below), or a mapping with its options",
    "hpo.pruner": "a name (below), or a mapping with its options; null: `none`",
    "hpo.confirm": "the two keys that follow, or null",
}
"""Of keys whose schema is more than a line."""


def definition(node: Schema) -> Schema:
    found: Schema = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return found


def leaves(part: Schema, above: str) -> Iterator[tuple[str, Schema]]:
    """Dotted keys and what the schema says of each; sections have those below them instead."""
    for name, node in part["properties"].items():
        sections = [member for member in node.get("anyOf", [node]) if "$ref" in member]
        if "$ref" not in node:
            yield above + name, node
        if len(sections) == 1:
            yield from leaves(definition(sections[0]), f"{above}{name}.")


def limits(node: Schema) -> str:
    """The range of a number, with a space before it."""
    upper = "to" if "minimum" in node else "up to"
    words = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": upper,
        "exclusiveMaximum": "below",
    }
    bounds = [f" {word} {node[key]:g}" for key, word in words.items() if key in node]
    return ",".join(bounds).replace(", to", " to")


def code(value: Any) -> str:
    """A value as params.yaml has it, in backticks."""
    text = value if isinstance(value, str) else json.dumps(value).replace('"', "")
    return f"`{text}`".replace("|", "\\|")


def choice(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def kind(node: Schema) -> str:
    """What a key may be, in words."""
    if "anyOf" in node:
        return choice([kind(member) for member in node["anyOf"]])
    if "enum" in node or "const" in node:
        return choice([code(value) for value in node.get("enum", [node.get("const")])])
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    if node.get("pattern") in (NUMBER, TRUTH):  # text and 0 or 1 are only other spellings
        types = [name for name in types if name != "string"]
        types = [name for name in types if name != "integer" or "boolean" not in types]
    return choice([word(name, node) for name in types])


def word(name: str, node: Schema) -> str:
    if name in ("integer", "number"):
        return WORDS[name] + limits(node)
    inner = node.get({"array": "items", "object": "additionalProperties"}.get(name, ""))
    return WORDS[name] + (f", each {kind(inner)}" if inner else "")


def value_of(values: Any, key: str, otherwise: Any = None) -> Any:
    """What sections have under a dotted key."""
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return otherwise
        values = values[name]
    return values


def default(key: str, node: Schema) -> str:
    """The default, and what params.yaml has instead, if it does."""
    if key == "hpo.search_space":
        return "that of params.yaml"
    usual = node["default"] if "default" in node else value_of(DEFAULTS, key)
    written = value_of(COMMITTED, key, usual)
    if isinstance(written, dict) and written != usual:
        return f"{code(usual)}; in params.yaml {', '.join(map(code, written))}"
    return code(usual) + (f"; in params.yaml {code(written)}" if written != usual else "")


def effect(node: Schema) -> str:
    text = re.sub(r"docs/(\w+\.md)", r"[\1](\1)", node["description"])
    return text.replace("\n\n", " ").replace("|", "\\|")


def reruns(key: str) -> str:
    """The stages of dvc.yaml that have a key among their parameters."""
    stages = [
        name
        for name, stage in STAGES.items()
        if any(f"{key}.".startswith(f"{param}.") for param in stage["params"])
    ]
    return ", ".join(f"`{name}`" for name in stages) or NOTHING


Rows = list[tuple[str, ...]]


def of_section(name: str, part: Schema) -> Rows:
    """Key, value, default, effect; and the stages that a change reruns, where keys differ in it."""
    found: dict[str, str] = {}
    rows = []
    for key, node in leaves(part, f"{name}."):
        first = found.setdefault(effect(node), key)
        told = effect(node) if first == key else f"As `{first}`."
        rows.append((key, VALUES.get(key) or kind(node), default(key, node), told, reruns(key)))
    return rows if len({row[-1] for row in rows}) > 1 else [row[:-1] for row in rows]


def of_feature(part: Schema) -> Rows:
    """Key, value, default, effect."""
    return [
        (key, kind(node), code(node["default"]) if "default" in node else NOTHING, effect(node))
        for key, node in part["properties"].items()
    ]


def of_entry() -> Rows:
    """Key, types that have it, value, default, effect; each type may have its own."""
    parts = map(definition, SCHEMA["$defs"]["Entry"]["oneOf"])
    found: dict[str, dict[str, Schema]] = {}
    for part in parts:
        kind_of_entry = part["properties"]["type"]["const"]
        for key, node in part["properties"].items():
            found.setdefault(key, {})[kind_of_entry] = node | {"required": key in part["required"]}
    del found["type"]
    return [
        (
            key,
            "all" if len(nodes) == 3 else ", ".join(f"`{name}`" for name in nodes),
            ENTRIES.get(key) or distinct(kind, nodes),
            distinct(default_of_entry, nodes),
            distinct(effect, nodes),
        )
        for key, nodes in found.items()
    ]


ENTRIES = {
    "only_if": "entries or hyperparameters, each with a value or a list of values",
    "sets": "a hyperparameter, or null",
    "choices": "a list, each a number, text, true or false",
}


def distinct(say: Callable[[Schema], str], nodes: Mapping[str, Schema]) -> str:
    """What is said of all types; or of each, by its name."""
    told = {name: say(node) for name, node in nodes.items()}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "<br>".join(f"`{name}`: {words}" for name, words in told.items())


def default_of_entry(node: Schema) -> str:
    return NOTHING if node["required"] else code(node.get("default", {}))


def named(key: str) -> Rows:
    """Name, what it does, options with their defaults, of all samplers, or of all pruners."""
    members = [m for m in SCHEMA["$defs"]["HpoConfig"]["properties"][key]["anyOf"] if "$ref" in m]
    rows = []
    for part in map(definition, members):
        options = [
            f"`{name}` ({kind(node)}; {code(node['default'])}): {effect(node)}"
            for name, node in part["properties"].items()
            if name != "type"
        ]
        name = part["properties"]["type"]["const"]
        rows.append((name, effect(part), "<br>".join(options) or NOTHING))
    return rows


SECTIONS = {name: node for name, node in SCHEMA["properties"].items() if "$ref" in node}


def summary(part: Schema) -> str:
    """What a section is about: its docstring after the colon."""
    text = effect(part).partition(": ")[2]
    return text[0].upper() + text[1:]


def stages_of(name: str) -> str:
    """Of a section; where its keys differ, the table of the section has them."""
    found = dict.fromkeys(reruns(key) for key, _ in leaves(definition(SECTIONS[name]), f"{name}."))
    return next(iter(found)) if len(found) == 1 else "see its table"


ROWS: dict[str, Rows] = {
    "key of the file": [
        (key, VALUES.get(key) or kind(node), default(key, node), effect(node), reruns(key))
        for key, node in SCHEMA["properties"].items()
        if key not in SECTIONS
    ],
    "section": [
        (name, summary(definition(node)), stages_of(name)) for name, node in SECTIONS.items()
    ],
    **{f"key of `{name}`": of_section(name, definition(node)) for name, node in SECTIONS.items()},
    "key of a feature": of_feature(SCHEMA["$defs"]["FeatureConfig"]),
    "key of an entry": of_entry(),
    "sampler": named("sampler"),
    "pruner": named("pruner"),
}
"""By heading of a table."""
