"""The JSON Schema of params.yaml, by which editors complete and check it.

It says of each key alone what it may be; rules between keys are `Config`'s.
"""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from twotower.common.choices import choices_of
from twotower.config.assessing import AssessConfig
from twotower.config.hyperparameters import NOT_SEARCHABLE
from twotower.config.params import Config
from twotower.config.training import ModelConfig, TrainConfig
from twotower.evaluation.item_groups import GROUPS
from twotower.evaluation.metrics import METRICS, objectives

Schema = dict[str, Any]

NUMBER = "^ *[-+]?[.0-9][0-9a-fA-FxXoO_.+-]* *$"
"""Text that may spell a number, see `read_number`; limits hold for numbers only."""
TRUTH = (
    "^([Tt]|[Tt][Rr][Uu][Ee]|[Yy]|[Yy][Ee][Ss]|[Oo][Nn]|1"
    "|[Ff]|[Ff][Aa][Ll][Ss][Ee]|[Nn]|[Nn][Oo]|[Oo][Ff][Ff]|0)$"
)
"""Text that pydantic takes for true or false: to YAML 1.2, `yes` and `on` are text."""
_IN_TEXT: Schema = {"pattern": NUMBER, "patternErrorMessage": "must be a number"}
SPELLINGS: dict[str, Schema] = {
    "integer": {"type": ["integer", "string"], **_IN_TEXT},
    "number": {"type": ["number", "string"], **_IN_TEXT},
    "boolean": {
        "type": ["boolean", "integer", "string"],
        "minimum": 0,
        "maximum": 1,
        "pattern": TRUTH,
        "patternErrorMessage": "must be true or false",
    },
}
"""What a `Section` also accepts for these types, and what editors say of other text."""
PINNED_ONLY = {"hidden"}
"""Lists, which `hpo.fixed` may have and no entry of the search space."""


def params_schema() -> Schema:
    """The schema (draft 7) of params.yaml, and of presets, which are parts of one.

    Descriptions are the docstrings of the sections' fields.
    """
    schema = Config.model_json_schema(schema_generator=_Generator)
    parts = schema["$defs"]
    for node in list(_nodes(schema)):
        _require_type(node, parts)
        _tidy(node)
    _name_hyperparameters(parts)
    hpo = parts["HpoConfig"]["properties"]
    for key in ("sampler", "pruner"):
        hpo[key] = _or_name_alone(hpo[key], parts)
    hpo["objective"] |= _objectives()
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "params.yaml"}
    return head | schema


class _Generator(GenerateJsonSchema):
    def function_after_schema(
        self, schema: core_schema.AfterValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Text that has to name a row of a table is one of their names."""
        inner = super().function_after_schema(schema)
        choices = choices_of(schema["function"]["function"])
        return inner if choices is None else inner | {"enum": list(choices)}


def _nodes(schema: Schema) -> Iterator[Schema]:
    """A schema and all those in it."""
    yield schema
    for key in ("properties", "$defs"):
        for inner in schema.get(key, {}).values():
            yield from _nodes(inner)
    for key in ("anyOf", "oneOf"):
        for inner in schema.get(key, []):
            yield from _nodes(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key])


def _require_type(node: Schema, parts: Schema) -> None:
    """A mapping that may be one of several sections has to say which."""
    for reference in node.pop("discriminator", {}).get("mapping", {}).values():
        part = _part(reference, parts)
        part["required"] = sorted({*part.get("required", []), "type"})


def _tidy(node: Schema) -> None:
    """Leave out what editors would show twice, and add spellings that `Section` accepts."""
    node.pop("title", None)
    if isinstance(node.get("default"), dict):  # it is that of the keys below
        del node["default"]
    if text := node.get("description"):
        node["description"] = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    kind = node.get("type")
    if isinstance(kind, str) and "const" not in node:
        node |= SPELLINGS.get(kind, {})
    match node.get("anyOf"):
        case [{"type": _} as inner, {"type": "null"}]:
            del node["anyOf"]
            _tidy(inner)
            node |= _or_null(inner)


def _or_null(node: Schema) -> Schema:
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    choices = [node.pop("const")] if "const" in node else node.get("enum")
    return node | {"type": [*kinds, "null"]} | ({"enum": [*choices, None]} if choices else {})


def _part(reference: str, parts: Schema) -> Schema:
    part: Schema = parts[reference.rpartition("/")[2]]
    return part


def _name_hyperparameters(parts: Schema) -> None:
    """Entries of the search space, `sets` and `hpo.fixed` name hyperparameters."""
    homes = {
        name: f"#/$defs/{section.__name__}/properties/{name}"
        for section in (ModelConfig, TrainConfig)
        for name in section.model_fields
        if name not in NOT_SEARCHABLE
    }
    searched = sorted(homes.keys() - PINNED_ONLY)
    hpo = parts["HpoConfig"]["properties"]
    parts["Entry"] = hpo["search_space"]["additionalProperties"]
    entry = {"$ref": "#/$defs/Entry"}
    hpo["search_space"] |= {
        "properties": dict.fromkeys(searched, entry),
        "additionalProperties": {"allOf": [entry, {"required": ["sets"]}]},
    }
    hpo["fixed"] |= {
        "properties": {name: {"$ref": homes[name]} for name in sorted(homes)},
        "additionalProperties": False,
    }
    for member in parts["Entry"]["oneOf"]:
        _part(member["$ref"], parts)["properties"]["sets"]["enum"] = [*searched, None]


def _or_name_alone(choice: Schema, parts: Schema) -> Schema:
    """A sampler or pruner, which may also be a name, or null where "none" is one."""
    members = choice.pop("oneOf")
    names = [_part(member["$ref"], parts)["properties"]["type"]["const"] for member in members]
    nothing = [None, ""] if "none" in names else []
    return choice | {"anyOf": [{"enum": [*names, *nothing]}, *members]}


def _objectives() -> Schema:
    """Those at the usual cut-offs to choose from, and any at another cut-off."""
    metrics = [metric for metric in METRICS.values() if metric.can_be_objective]
    at_k = "|".join(metric.name for metric in metrics if metric.has_cutoff)
    usual = objectives(AssessConfig().ks)
    groups = "|".join(group.suffix for group in GROUPS.values() if group.suffix)
    key = f"({at_k})_at_[1-9][0-9]*|{'|'.join(m.name for m in metrics if not m.has_cutoff)}"
    named = {"enum": usual}, {"type": "string", "pattern": f"^({key})({groups})?$"}
    weights = {"type": "number", "exclusiveMinimum": 0}
    return {
        "type": ["string", "object"],
        "anyOf": [*named, {"additionalProperties": weights, "type": "object", "minProperties": 1}],
    }
